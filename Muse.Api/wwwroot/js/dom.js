// Builds elements. Text becomes text nodes, never markup.

/** An element with attributes (on… are listeners; true sets one, false leaves it out) and children (nodes or text). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child != null && child !== false));
  return element;
}

const svgNamespace = "http://www.w3.org/2000/svg";

/** An SVG element. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A drawing from img/icons.svg, hidden from screen readers. */
export const icon = name => s("svg", { class: "icon", "aria-hidden": "true" }, s("use", { href: `img/icons.svg#${name}` }));

/** The element with this id. */
export const byId = id => document.getElementById(id);

/** Sets the text only if it differs, so that a screen reader does not repeat a live region. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes a parent's children match a list. The elements of items that stay are kept, so focus and loaded images survive an update.
 * make(item) builds an element once; update(element, item) brings it up to date.
 */
export function keyed(parent, items, key, make, update) {
  const old = new Map([...parent.children].filter(child => child.dataset.key).map(child => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let element = old.get(name);
    if (element) old.delete(name);
    else {
      element = make(item);
      element.dataset.key = name;
    }
    update?.(element, item);
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
  for (const gone of old.values()) gone.remove();
}
