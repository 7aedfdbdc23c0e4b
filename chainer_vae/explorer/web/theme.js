// The theme, light or dark. This runs in the page's head, so that nothing is painted in the other one.

// What the browser keeps until the next visit. Where it may not, nothing is kept.
const kept = {
  get(name) {
    try {
      return localStorage.getItem(`chainer-vae-${name}`);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`chainer-vae-${name}`, value);
    } catch {
      // The page works without.
    }
  },
};

const theme = {
  system: matchMedia("(prefers-color-scheme: dark)"),
  chosen: kept.get("theme"),
  get dark() {
    return ["dark", "light"].includes(theme.chosen) ? theme.chosen === "dark" : theme.system.matches;
  },
  apply() {
    document.documentElement.dataset.theme = theme.dark ? "dark" : "light";
  },
};
theme.apply();
