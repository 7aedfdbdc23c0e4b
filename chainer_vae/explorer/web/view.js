// Shared by all parts of the page: language, colours, redrawing, small helpers.

const COLORS = [
  "#8000ff", "#4757fb", "#0ea4f0", "#17b8b8", "#2fc48a", "#62c065", "#b3bb2c", "#f08c2e", "#ff572c", "#e00000",
]; // of the digits: the rainbow colours of the article's figures, with the light ones darkened

const view = {
  lang: "en",
  listeners: [], // called when the language changes
  text(key, ...args) {
    const text = TEXT[view.lang][key];
    return typeof text === "function" ? text(...args) : text;
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
    button.textContent = label;
    button.addEventListener("click", () => choose(label));
    buttons.set(label, button);
    parent.append(button);
  }
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
