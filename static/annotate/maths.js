// Mathematics: TeX in <span class="math" data-tex>, set by KaTeX, which is fetched when the first one appears.
const FOLDER = new URL("../vendor/katex-0.19.1/", import.meta.url);
const OPTIONS = { throwOnError: false, trust: false, strict: "ignore", maxSize: 20, maxExpand: 200 };

let ready = null;

function load() {
  const style = document.createElement("link");
  Object.assign(style, { rel: "stylesheet", href: new URL("katex.min.css", FOLDER).href });
  const script = document.createElement("script");
  script.src = new URL("katex.min.js", FOLDER).href;
  document.head.append(style, script);
  return new Promise((done, failed) => {
    script.addEventListener("load", () => done(window.katex));
    script.addEventListener("error", () => { ready = null; failed(new Error("KaTeX did not load")); });
  });
}

export async function typeset(root) {
  const places = [...root.querySelectorAll(".math[data-tex]")];
  if (!places.length) return;
  let katex;
  try {
    katex = await (ready ??= load());
  } catch {
    return; // the TeX stays readable as it is written
  }
  for (const place of places) {
    katex.render(place.dataset.tex, place, { ...OPTIONS, displayMode: place.classList.contains("display") });
  }
}
