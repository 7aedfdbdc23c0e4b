// The classes of the images: names, colours, and the one that is picked in the legend.

const MANY = 20; // classes: their buttons scroll, and in the planes, names would cover each other
const GOLDEN_ANGLE = 137.5; // degrees: however many hues follow each other so, neighbours differ

const classes = {
  names: {},
  labels: [],
  isolated: null, // the only class that is shown, or null for all
  listeners: [],
  // `names`: by label.
  set(names) {
    classes.names = names;
    classes.labels = Object.keys(names).map(Number);
  },
  name: (label) => classes.names[label] ?? String(label),
  // One of style.css's colours where there are enough for all.
  color(label) {
    if (d3.max(classes.labels) < N_CLASSES) return view.color(`class-${label}`);
    const i = classes.labels.indexOf(label);
    return d3.hcl(GOLDEN_ANGLE * i, 60, [45, 60, 72][i % 3]).formatHex();
  },
  shows: (label) => classes.isolated === null || classes.isolated === label,
  // Whether a plane has room for its name.
  isNamed: (label) => classes.shows(label) && (classes.labels.length <= MANY || classes.isolated === label),
  isolate(label) {
    classes.isolated = label;
    for (const listener of classes.listeners) listener();
  },
  onIsolate(listener) {
    classes.listeners.push(listener);
  },
};

// Buttons with the colours and the names of the classes. One picks its class, and picked again, all.
function setUpLegend(parent) {
  const buttons = classes.labels.map((label) => {
    const button = document.createElement("button");
    button.type = "button";
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    button.append(swatch, classes.name(label));
    button.addEventListener("click", () => classes.isolate(classes.isolated === label ? null : label));
    parent.append(button);
    return { label, button, swatch };
  });
  parent.classList.toggle("many", buttons.length > MANY);
  const show = () => {
    for (const { label, button, swatch } of buttons) {
      button.setAttribute("aria-pressed", classes.isolated === label);
      swatch.style.background = classes.color(label);
    }
  };
  classes.onIsolate(show);
  view.onTheme(show);
  show();
}
