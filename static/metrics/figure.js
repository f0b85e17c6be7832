// PNG of a figure: its SVG file, painted at twice its size. Without scripts there is no such button.
const SCALE = 2;

async function painted(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  const image = new Image();
  // A data URL: the content policy allows images from here and in place, not from blobs.
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(await answer.text())}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = SCALE * image.naturalWidth;
  canvas.height = SCALE * image.naturalHeight;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-png]");
  if (!button) return;
  button.disabled = true;
  try {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await painted(button.dataset.png));
    link.download = button.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } finally {
    button.disabled = false;
  }
});

const reveal = () => document.querySelectorAll("[data-png][hidden]").forEach((button) => (button.hidden = false));
reveal();
document.addEventListener("htmx:after:swap", reveal); // figures that came with a part of the page
