// The layout beside the page: a large catalogue must not stop anybody from typing.

import { layOut } from "./layout";

addEventListener("message", ({ data }: MessageEvent<Int32Array>) => {
  const points = layOut(data);
  postMessage(points, { transfer: [points.buffer] });
});
