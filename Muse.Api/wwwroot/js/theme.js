// Sets the theme before the browser first renders the page, so that the other theme never flashes. A module would run too late.
"use strict";
(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const names = { auto: "as the system", light: "light", dark: "dark" };
  const read = () => { try { return localStorage.getItem("muse.theme"); } catch { return null; } };
  const keep = theme => {
    try {
      localStorage.setItem("muse.theme", theme);
    } catch {
      // Without storage (private mode) the choice lasts until the page is left.
    }
  };
  let theme = themes.includes(read()) ? read() : "auto";
  const apply = () => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
    root.dispatchEvent(new CustomEvent("themechange"));
  };
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("class", "icon");
      svg.setAttribute("aria-hidden", "true");
      const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
      use.setAttribute("href", `img/icons.svg#${theme}`);
      svg.append(use);
      button.replaceChildren(svg);
      button.setAttribute("aria-label", `Colours: ${names[theme]}`);
      button.title = `Colours: ${names[theme]}`;
    };
    show();
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      keep(theme);
      apply();
      show();
    });
  });
})();
