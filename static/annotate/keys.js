// What was pressed, as an action. People may give actions other keys; the views are written with the usual ones
// and hear those, so that no view knows of it.

const pressed = (event) => (event.ctrlKey || event.metaKey ? `Ctrl+${event.key}` : event.key);

export class Keys {
  // actions: [{ name, key, usual, also, scope }], scope being a kind of task or "all"
  constructor(actions) {
    this.actions = actions;
    this.maps = new Map();
  }

  #map(scope) {
    if (!this.maps.has(scope)) {
      const here = this.actions.filter((a) => a.scope === scope || a.scope === "all");
      const map = new Map(here.map((a) => [a.key, a]));
      for (const action of here) for (const key of action.also) if (!map.has(key)) map.set(key, action);
      const moved = new Set(here.map((a) => a.usual).filter((key) => !map.has(key)));
      this.maps.set(scope, { map, moved });
    }
    return this.maps.get(scope);
  }

  // { name, usual } of the action this key has here. A key that lost its action is { name: "", usual: "" }; one that
  // never had any comes as it is.
  heard(event, scope) {
    const { map, moved } = this.#map(scope);
    const key = pressed(event);
    const action = map.get(key);
    if (action) return action;
    return { name: "", usual: moved.has(key) ? "" : key };
  }

  cap(name) {
    const CAPS = { Enter: "⏎", ArrowUp: "↑", ArrowDown: "↓", Backspace: "⌫", " ": "␣" };
    const key = this.actions.find((a) => a.name === name)?.key ?? "";
    return CAPS[key] ?? key;
  }
}
