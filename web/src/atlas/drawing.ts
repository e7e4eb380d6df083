// The catalogue as a WebGL graph. Knows sigma; the page around it does not.

import Graph from "graphology";
import Sigma from "sigma";
import type { ModelSummary, Relation } from "../api/types";
import { fullName } from "../format/reference";
import { layOut } from "./layout";

export interface Palette {
  text: string;
  line: string;
  root: string;
  relations: Record<Relation, string>;
}

interface NodeLook {
  [name: string]: unknown;
  x: number;
  y: number;
  size: number;
  color: string;
  label: string;
}

export class Drawing {
  readonly #graph = new Graph<NodeLook>({ type: "directed" });
  readonly #sigma: Sigma<NodeLook>;
  readonly #models: ReadonlyMap<string, ModelSummary>;

  constructor(
    container: HTMLElement,
    models: readonly ModelSummary[],
    palette: Palette,
    onChoose: (reference: string | null) => void,
  ) {
    this.#models = new Map(models.map((model) => [model.reference, model]));
    this.#fill(models, palette);
    this.#sigma = new Sigma(this.#graph, container, {
      settings: {
        itemSizesReference: "screen",
        hideEdgesOnMove: models.length > 20_000,
        labelRenderedSizeThreshold: 5,
        labelDensity: 0.6,
        minCameraRatio: 0.002,
        maxCameraRatio: 2,
        stagePadding: 40,
      },
      styles: {
        nodes: {
          x: { attribute: "x" },
          y: { attribute: "y" },
          size: { attribute: "size" },
          color: { attribute: "color" },
          label: { attribute: "label" },
          labelColor: palette.text,
          labelFont: "Geist, Arial, sans-serif",
          labelSize: 12,
          backdropVisibility: "hidden",
          visibility: { whenState: "isHidden", then: "hidden", else: "visible" },
          labelVisibility: { whenState: ["isHovered", "isHighlighted"], then: "visible", else: "auto" },
          depth: { whenState: "isHovered", then: "topNodes", else: "nodes" },
        },
        edges: {
          color: { attribute: "color" },
          size: 1,
          visibility: { whenState: "isHidden", then: "hidden", else: "visible" },
        },
      },
    });
    this.#sigma.on("clickNode", ({ node }) => onChoose(node));
    this.#sigma.on("clickStage", () => onChoose(null));
  }

  /** Draws only what `keep` accepts, and says how many models that are. */
  show(keep: (model: ModelSummary) => boolean): number {
    const [shown, hidden]: [string[], string[]] = [[], []];
    for (const [reference, model] of this.#models) (keep(model) ? shown : hidden).push(reference);
    this.#sigma.setNodesState(shown, { isHidden: false });
    this.#sigma.setNodesState(hidden, { isHidden: true });
    const gone = new Set(hidden);
    const edges = this.#graph.mapEdges((edge, _look, from, to) => ({
      edge,
      hidden: gone.has(from) || gone.has(to),
    }));
    this.#sigma.setEdgesState(
      edges.filter((edge) => !edge.hidden).map(({ edge }) => edge),
      { isHidden: false },
    );
    this.#sigma.setEdgesState(
      edges.filter((edge) => edge.hidden).map(({ edge }) => edge),
      { isHidden: true },
    );
    return shown.length;
  }

  goTo(reference: string): void {
    if (!this.#graph.hasNode(reference)) return;
    const { x, y } = this.#graph.getNodeAttributes(reference);
    const place = this.#sigma.graphToFramedGraph({ x, y });
    void this.#sigma.getCamera().animate({ ...place, ratio: 0.12 }, { duration: 400 });
    this.#sigma.setNodeState(reference, { isHighlighted: true });
  }

  wholeMap(): void {
    void this.#sigma.getCamera().animate({ x: 0.5, y: 0.5, ratio: 1 }, { duration: 300 });
  }

  close(): void {
    this.#sigma.kill();
  }

  #fill(models: readonly ModelSummary[], palette: Palette): void {
    const points = layOut(models);
    const smallest = models.length > 20_000 ? 1.5 : models.length > 1000 ? 3 : 5;
    const children = new Map<string, number>();
    for (const { parents } of models)
      for (const parent of parents) children.set(parent, (children.get(parent) ?? 0) + 1);
    for (const model of models) {
      const { x, y } = points.get(model.reference) ?? { x: 0, y: 0 };
      this.#graph.addNode(model.reference, {
        x,
        y,
        size: smallest + 1.5 * Math.log2(1 + (children.get(model.reference) ?? 0)),
        color: model.relation === null ? palette.root : palette.relations[model.relation],
        label: fullName(model.reference),
      });
    }
    for (const { reference, parents, relation } of models) {
      for (const parent of parents) {
        if (!this.#graph.hasNode(parent) || this.#graph.hasEdge(parent, reference)) continue;
        this.#graph.addEdge(parent, reference, {
          color: relation === null ? palette.line : palette.relations[relation],
        });
      }
    }
  }
}

/** Colours as WebGL needs them: the custom properties of the page, worked out for the present theme. */
export function paletteOf(page: HTMLElement, relations: readonly Relation[]): Palette {
  const probe = page.appendChild(document.createElement("span"));
  const resolve = (variable: string) => {
    probe.style.color = `var(${variable})`;
    return getComputedStyle(probe).color;
  };
  const colours = relations.map((relation) => [relation, resolve(`--relation-${relation}`)]);
  const palette = {
    text: resolve("--text"),
    line: resolve("--line-strong"),
    root: resolve("--faint"),
    relations: Object.fromEntries(colours) as Record<Relation, string>,
  };
  probe.remove();
  return palette;
}
