// Shared by all parts of the page: language, colours, redrawing, small helpers.

const N_CLASSES = 10; // that style.css has colours for

const view = {
  lang: "en",
  listeners: [], // called when the language changes
  text(key, ...args) {
    const text = TEXT[view.lang][key];
    return typeof text === "function" ? text(...args) : text;
  },
  // A colour of style.css, by its name there.
  color(name) {
    view.colors[name] ??= getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    return view.colors[name];
  },
  colors: {},
  repainters: [], // called when the theme changes
  // `repaint` paints what has colours in a canvas.
  onTheme(repaint) {
    view.repainters.push(repaint);
  },
  setUpTheme(button) {
    const apply = () => {
      theme.apply();
      view.colors = {};
      button.setAttribute("aria-pressed", theme.dark);
      for (const repaint of view.repainters) repaint();
    };
    button.addEventListener("click", () => {
      theme.chosen = theme.dark ? "light" : "dark";
      kept.set("theme", theme.chosen);
      apply();
    });
    theme.system.addEventListener("change", apply);
    apply();
  },
  onLanguage(listener) {
    view.listeners.push(listener);
    listener();
  },
  setLanguage(lang) {
    view.lang = lang;
    document.documentElement.lang = lang;
    for (const button of document.querySelectorAll("[data-lang]")) {
      button.setAttribute("aria-pressed", button.dataset.lang === lang);
    }
    for (const element of document.querySelectorAll("[data-text]")) {
      const text = TEXT[lang][element.dataset.text];
      if (typeof text === "string") element.textContent = text;
    }
    for (const element of document.querySelectorAll("[data-label]")) {
      const text = TEXT[lang][element.dataset.label];
      if (typeof text === "string") element.setAttribute("aria-label", text);
    }
    document.title = TEXT[lang].title;
    for (const listener of view.listeners) listener();
  },
};

// Whether the user has asked the system for less motion.
const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

const byId = (id) => document.getElementById(id);

// Returns a function that schedules `paint` for the next frame, once however often it is called.
function onNextFrame(paint) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame((now) => {
      waiting = false;
      paint(now);
    });
  };
}

const fixed = (number, digits = 2) => number.toFixed(digits).replace(/^-(?=0\.0*$)/, "").replace("-", "−");
const pair = (numbers, digits = 2) => `(${Array.from(numbers, (n) => fixed(n, digits)).join(", ")})`;

// Add a row of buttons. `choose` is called with the label of the clicked one. Returns a function that
// marks a label as chosen.
function digitButtons(parent, labels, choose) {
  const buttons = new Map();
  for (const label of labels) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = classes.name(label);
    button.classList.toggle("wide", !/^(.|\d\d)$/u.test(button.textContent));
    button.addEventListener("click", () => choose(label));
    buttons.set(label, button);
    parent.append(button);
  }
  parent.classList.toggle("many", labels.length > MANY);
  return (chosen) => {
    for (const [label, button] of buttons) button.setAttribute("aria-pressed", label === chosen);
  };
}

// Add a bar for the KL of each latent dimension. Returns a function that sets the bars.
function klBars(parent, names) {
  const rows = names.map(() => {
    const [name, bar, value] = ["span", "div", "span"].map((tag) => document.createElement(tag));
    bar.className = "bar";
    bar.append(document.createElement("div"));
    value.className = "numbers";
    parent.append(name, bar, value);
    return { name, bar: bar.firstChild, value };
  });
  return (kl) => {
    const most = Math.max(4, ...kl);
    rows.forEach((row, j) => {
      row.name.textContent = view.text("klOfDimension", names[j]);
      row.bar.style.width = `${(100 * kl[j]) / most}%`;
      row.value.textContent = view.text("nats", fixed(kl[j]));
    });
  };
}

// Clear a canvas to the paper's colour at the screen's resolution. Returns its context and its size in CSS
// pixels.
function clearCanvas(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = view.color("paper");
  context.fillRect(0, 0, width, height);
  return { context, width, height };
}
