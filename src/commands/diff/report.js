// Saves a picture of this page as SVG, or drawn onto a canvas as PNG at twice its size.
for (const button of document.querySelectorAll("button[data-save]")) {
  button.onclick = () => {
    const svg = document.querySelector(`#${button.dataset.save} svg`);
    const source = new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
    if (button.dataset.as === "svg") return save(source, `${button.dataset.save}.svg`);
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = 2 * svg.width.baseVal.value;
      canvas.height = 2 * svg.height.baseVal.value;
      const context = canvas.getContext("2d");
      context.scale(2, 2);
      context.drawImage(image, 0, 0);
      canvas.toBlob((png) => save(png, `${button.dataset.save}.png`));
    };
    image.src = URL.createObjectURL(source);
  };
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
}
