// One believable family of models, with a history, tensors and failures: the fixtures of the page tests.

import type {
  Bump,
  Edge,
  Feature,
  Lineage,
  LicenceStep,
  ModelDetail,
  Overview,
  Relation,
  Revision,
  TensorDiff,
  TensorRow,
  Verdict,
} from "../../src/api/types";

interface Sketch {
  name: string;
  relation?: Relation;
  technique?: string;
  parents?: string[];
  params?: Record<string, unknown>;
  verdict?: Verdict;
  parameters?: number | null;
  failure?: string;
  silent?: number;
  revisions?: number;
}

const B = 1_235_814_400;
const sketches: Sketch[] = [
  { name: "meadow/oak-1b", revisions: 4, silent: 1 },
  {
    name: "meadow/oak-1b-instruct",
    relation: "finetune",
    technique: "full",
    parents: ["meadow/oak-1b"],
    verdict: "confirmed",
    revisions: 6,
    silent: 1,
  },
  {
    name: "riverlab/oak-1b-legal",
    relation: "finetune",
    technique: "lora-merged",
    parents: ["meadow/oak-1b-instruct"],
    params: { rank: 16, layers: 24 },
    verdict: "confirmed",
    revisions: 3,
  },
  {
    name: "riverlab/oak-1b-legal-gptq",
    relation: "quantized",
    technique: "gptq",
    parents: ["riverlab/oak-1b-legal"],
    params: { bits: 4, group_size: 128 },
    verdict: "confirmed",
  },
  {
    name: "shoreline/oak-1b-instruct-gguf",
    relation: "quantized",
    technique: "gguf",
    parents: ["meadow/oak-1b-instruct"],
    params: { types: ["Q4_K", "Q6_K"] },
    verdict: "undeclared",
  },
  {
    name: "shoreline/oak-1b-bf16",
    relation: "duplicate",
    technique: "cast",
    parents: ["meadow/oak-1b"],
    params: { dtype: "BF16" },
    verdict: "confirmed",
  },
  {
    name: "tidepool/oak-medical",
    relation: "finetune",
    technique: "layers",
    parents: ["meadow/oak-1b"],
    params: { layers: [20, 21, 22, 23] },
    verdict: "contradicted",
    silent: 2,
    revisions: 5,
  },
  {
    name: "tidepool/oak-soup",
    relation: "merge",
    technique: "linear",
    parents: ["riverlab/oak-1b-legal", "tidepool/oak-medical"],
    params: { coefficients: [0.6, 0.4] },
    verdict: "confirmed",
  },
  {
    name: "tidepool/oak-sparse-50",
    relation: "pruned",
    technique: "unstructured",
    parents: ["meadow/oak-1b"],
    params: { sparsity: 0.5 },
    verdict: "confirmed",
  },
  {
    name: "tidepool/oak-2-of-4",
    relation: "pruned",
    technique: "n:m",
    parents: ["meadow/oak-1b"],
    params: { n: 2, m: 4 },
    verdict: "undeclared",
  },
  {
    name: "riverlab/oak-1b-chat-lora",
    relation: "adapter",
    technique: "lora",
    parents: ["meadow/oak-1b-instruct"],
    params: { rank: 8, alpha: 16 },
    verdict: "confirmed",
    parameters: 4_194_304,
  },
  {
    name: "riverlab/oak-1b-polyglot",
    relation: "expanded",
    technique: "vocabulary",
    parents: ["meadow/oak-1b"],
    params: { rows_added: 4096 },
    verdict: "confirmed",
  },
  {
    name: "riverlab/oak-vision",
    relation: "component",
    technique: "component",
    parents: ["meadow/oak-1b"],
    verdict: "unverifiable",
  },
  { name: "northfield/birch-1b", revisions: 2 },
  {
    name: "northfield/birch-1b-truncated",
    failure: "model-00002-of-00002.safetensors ends at byte 1,048,576 of 2,097,152; download it again",
    parameters: null,
  },
  ...Array.from({ length: 60 }, (_, index): Sketch => ({
    name: `orchard/oak-1b-study-${String(index + 1).padStart(2, "0")}`,
    relation: "finetune",
    technique: index % 3 === 0 ? "sparse" : "full",
    parents: ["meadow/oak-1b"],
    verdict: index % 5 === 0 ? "undeclared" : "confirmed",
  })),
];

const roles = [
  "self_attn.q_proj",
  "self_attn.k_proj",
  "self_attn.v_proj",
  "self_attn.o_proj",
  "mlp.gate_proj",
  "mlp.up_proj",
  "mlp.down_proj",
  "input_layernorm",
  "post_attention_layernorm",
];
const tensorNames = [
  "model.embed_tokens.weight",
  ...Array.from({ length: 8 }, (_, layer) =>
    roles.map((role) => `model.layers.${layer}.${role}.weight`),
  ).flat(),
  "model.norm.weight",
  "lm_head.weight",
];

const DAY = 86_400_000;
const NEWEST = Date.parse("2026-11-24T09:12:00Z");
export const daysBefore = (days: number) => new Date(NEWEST - days * DAY).toISOString();
const ref = (name: string) => `hf:${name}`;

/** A stable hex string for a text: fixtures must not change from run to run. */
function hex(text: string, length: number): string {
  let state = 0x811c9dc5;
  for (const character of text) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193) >>> 0;
  let out = "";
  while (out.length < length) {
    state = (Math.imul(state, 0x19660d) + 0x3c6ef35f) >>> 0;
    out += ((state ^ (state >>> 15)) >>> 0).toString(16).padStart(8, "0");
  }
  return out.slice(0, length);
}

const evidence: Feature[] = [
  { name: "tensors_shared", value: 147, meaning: "tensors with one name and one shape on both sides" },
  { name: "tensors_identical", value: 51, meaning: "of those, equal byte for byte" },
  {
    name: "relative_delta_norm",
    value: 0.01274,
    meaning: "norm of the difference over the norm of the parent",
  },
  { name: "delta_rank", value: 16, meaning: "median rank of the difference over changed matrices" },
  { name: "cosine", value: 0.99992, meaning: "between the two sketches" },
  { name: "zeros_gained", value: 0, meaning: "share of elements that became zero" },
];

function edgeOf(sketch: Sketch): Edge | null {
  if (!sketch.relation || !sketch.parents) return null;
  return {
    child: ref(sketch.name),
    parents: sketch.parents.map(ref),
    relation: sketch.relation,
    technique: sketch.technique ?? "full",
    params: sketch.params ?? {},
    confidence: 0.97,
    explanation: `96 of 147 shared tensors differ from ${sketch.parents.join(" and ")}, and the differences have low rank. The other 51 are equal byte for byte, so both sides share one ancestor.`,
    evidence,
    verdict: sketch.verdict ?? null,
  };
}

const card = `---
license: apache-2.0
base_model: meadow/oak-1b-instruct
---
# Oak 1B Legal

A fine-tune for **contract review**, trained with [LoRA](https://example.org/lora) and *merged*. <script>alert(1)</script>

| Benchmark | Score |
|---|---|
| Contracts | 71.2 |
| Statutes | 64.9 |

- Trained on 2 epochs
- See [this](javascript:alert(1)) and ![diagram](https://example.org/x.png)

\`\`\`python
model = AutoModel.from_pretrained("riverlab/oak-1b-legal")
\`\`\`
`;

export const models: ModelDetail[] = sketches.map((sketch, index) => {
  const [owner = "", name = ""] = sketch.name.split("/");
  const edge = edgeOf(sketch);
  const parameters = sketch.parameters === undefined ? B : sketch.parameters;
  const head = hex(sketch.name, 40);
  return {
    reference: ref(sketch.name),
    hub: "hf",
    owner,
    name,
    url: `https://huggingface.example/${sketch.name}`,
    head,
    created_at: daysBefore(300 - index),
    modified_at: daysBefore(index * index * 0.37),
    architecture: parameters === null ? null : "LlamaForCausalLM",
    task: "text-generation",
    library: "transformers",
    licence: index % 4 === 3 ? null : sketch.name.startsWith("meadow/") ? "CC-BY-NC-4.0" : "apache-2.0",
    downloads: Math.round(9_400_000 / (index + 1) ** 2),
    likes: 420 - index * 5,
    gated: index === 0,
    parameters,
    version: sketch.failure ? null : `${index % 3 === 0 ? "1.2.0" : "1.0.1"}+w.${hex(sketch.name, 8)}`,
    relation: sketch.relation ?? null,
    technique: sketch.technique ?? null,
    parents: sketch.parents?.map(ref) ?? [],
    verdict: sketch.verdict ?? null,
    revisions: sketch.revisions ?? 1,
    silent_changes: sketch.silent ?? 0,
    failure: sketch.failure ?? null,
    identity: edge
      ? `Fine-tune (${sketch.technique}) of ${edge.parents.join(" and ")}; declared base ${sketch.verdict ?? "not judged"}`
      : sketch.failure
        ? "The weights could not be read"
        : "No parent among the crawled models",
    tags: ["safetensors", "text-generation", "en"],
    datasets: [],
    papers: [],
    base_models: sketch.parents ?? [],
    base_model_relation: sketch.relation ?? null,
    card: index === 2 ? card : null,
    edge,
    children: sketches
      .filter((other) => other.parents?.includes(sketch.name))
      .flatMap((other) => edgeOf(other) ?? []),
    fingerprint:
      parameters === null
        ? null
        : {
            revision: head,
            level: "full",
            parameters,
            bytes: parameters * 2,
            model_digest: hex(`${sketch.name}m`, 64),
            named_digest: hex(`${sketch.name}n`, 64),
            architecture: "a1b2c3d4",
            tensors: tensorNames.length,
            findings:
              sketch.name === "tidepool/oak-medical"
                ? [
                    {
                      severity: "dangerous",
                      file: "training_args.bin",
                      import: "posix.system",
                      called: true,
                    },
                    {
                      severity: "suspicious",
                      file: "training_args.bin",
                      import: "transformers.training_args.TrainingArguments",
                      called: true,
                    },
                  ]
                : [],
          },
    endpoint: "http://127.0.0.1:41234",
    crawled_at: daysBefore(0.01),
  };
});

export function revisionsOf(model: ModelDetail): Revision[] {
  const steps: { bump: Bump; version: string; title: string; kind: string; detail: string }[] = [
    {
      bump: "patch",
      version: "1.2.1",
      title: "Update README.md",
      kind: "card",
      detail: "README.md changed; no weights did",
    },
    {
      bump: "minor",
      version: "1.2.0",
      title: "Upload folder using huggingface_hub",
      kind: "weights",
      detail: "96 of 147 tensors changed, relative norm 0.0127",
    },
    {
      bump: "none",
      version: "1.1.0",
      title: "Add .gitattributes",
      kind: "files",
      detail: "only .gitattributes changed",
    },
    {
      bump: "major",
      version: "1.1.0",
      title: "New tokenizer",
      kind: "tokenizer",
      detail: "vocabulary grew from 32,000 to 36,096 entries",
    },
    {
      bump: "minor",
      version: "0.2.0",
      title: "Second epoch",
      kind: "weights",
      detail: "147 of 147 tensors changed, relative norm 0.041",
    },
  ];
  const count = model.revisions;
  return Array.from({ length: count }, (_, index): Revision => {
    const step = steps[index % steps.length];
    const oldest = index === count - 1;
    const silent = !oldest && index === 1 && model.silent_changes > 0;
    return {
      revision: index === 0 ? (model.head ?? "") : hex(model.name + index, 40),
      position: count - 1 - index,
      date: daysBefore(3 + index * 17.3),
      title: oldest ? "Initial commit" : (step?.title ?? ""),
      message: "",
      authors: ["ada"],
      tags: oldest ? ["v1.0"] : [],
      version: `${oldest ? "1.0.0" : step?.version}+w.${hex(model.name + index, 8)}`,
      declared: oldest ? "1.0" : null,
      bump: oldest ? null : (step?.bump ?? null),
      silent,
      weights_changed: oldest ? null : step?.bump === "minor",
      reasons:
        oldest || !step
          ? []
          : [
              { kind: step.kind, bump: step.bump, detail: step.detail },
              ...(silent
                ? [
                    {
                      kind: "files",
                      bump: "patch" as const,
                      detail: "config.json: torch_dtype float32 → bfloat16",
                    },
                  ]
                : []),
            ],
      model_digest: hex(model.name + index, 64),
      parameters: model.parameters,
      failure: null,
    };
  });
}

export function lineageOf(model: ModelDetail): Lineage {
  const inFamily = new Set([model.reference]);
  for (let size = 0; size !== inFamily.size;) {
    size = inFamily.size;
    for (const { edge } of models) {
      if (edge && [edge.child, ...edge.parents].some((reference) => inFamily.has(reference))) {
        for (const reference of [edge.child, ...edge.parents]) inFamily.add(reference);
      }
    }
  }
  const members = models.filter(({ reference }) => inFamily.has(reference));
  return {
    root: model.reference,
    truncated: false,
    nodes: members.map(({ reference, version, parameters, architecture, verdict, relation, technique }) => ({
      reference,
      version,
      parameters,
      architecture,
      verdict,
      relation,
      technique,
    })),
    edges: members.flatMap(({ edge }) => edge ?? []),
  };
}

const shapeOf = (name: string) =>
  name.includes("norm")
    ? [2048]
    : name.includes("embed") || name.includes("lm_head")
      ? [32000, 2048]
      : [2048, 2048];

export function tensorsOf(model: ModelDetail): TensorRow[] {
  if (!model.fingerprint) return [];
  return tensorNames.map((name, index) => {
    const shared = name.includes("norm");
    const count = shapeOf(name).reduce((product, size) => product * size, 1);
    return {
      name,
      dtype: "BF16",
      shape: shapeOf(name),
      digest: hex(shared ? name : name + model.name, 64),
      held_by: shared ? models.length - 2 : 0,
      stats: {
        mean: 0.00012 * (index % 7) - 0.0003,
        std: 0.0213,
        l2: 41.7 + index,
        abs_max: 0.48,
        zeros: index % 5,
        distinct: Math.min(count, 18_400),
        count,
      },
    };
  });
}

export function reportOf(
  a: string,
  b: string,
): Pick<import("../../src/api/types").Diff, "report" | "outcome" | "bump"> {
  const tensors = tensorNames.map((name, index): TensorDiff => {
    const shape = shapeOf(name);
    const elements = shape.reduce((product, size) => product * size, 1);
    const still = name.includes("norm") || name.includes("embed") || a === b;
    const relative = still ? 0 : 0.0004 * (1 + (index % 9)) ** 2 * (1 + Math.floor(index / 9) / 6);
    return {
      name,
      shape,
      dtype_a: "F32",
      dtype_b: "BF16",
      elements,
      changed: still ? 0 : elements - (index % 13) * 1000,
      max_abs: relative * 0.7,
      mean_abs: relative * 0.01,
      l2: relative * 40,
      relative_l2: relative,
      cosine: 1 - relative ** 2 / 2,
      bit_distance: still ? 0 : 6.3 - (index % 9) * 0.2,
      mean: 0,
      non_finite: 0,
      rank: still || index % 9 > 6 ? null : 16,
      rank_above: !still && index % 9 > 6 ? 64 : null,
      histogram: still
        ? null
        : { lowest: -22 + (index % 3), counts: [3, 40, 310, 900, 420, 60], pairs: 1733 },
      singular_values: [],
    };
  });
  const changed = tensors.filter((tensor) => tensor.changed > 0);
  return {
    report: {
      tensors,
      removed: [],
      added: a === b ? [] : ["model.layers.0.self_attn.q_proj.bias"],
      reshaped: [],
      blocks: [],
      layers: [],
      identical_tensors: tensors.length - changed.length,
      changed_tensors: changed.length,
      elements: tensors.reduce((sum, { elements }) => sum + elements, 0),
      changed_elements: changed.reduce((sum, { changed }) => sum + changed, 0),
      l2: 18.2,
      relative_l2: 0.01274,
      non_finite: 0,
    },
    outcome: {
      relation: "finetune",
      technique: "lora-merged",
      params: { rank: 16 },
      confidence: 0.97,
      explanation:
        "The differences have rank 16 in every attention and feed-forward matrix. Norms and embeddings are equal byte for byte.",
      evidence,
    },
    bump: {
      bump: "minor",
      weights_changed: true,
      announced: null,
      silent: true,
      reasons: [
        {
          kind: "weights",
          bump: "minor",
          detail: `${changed.length} of ${tensors.length} tensors changed, relative norm 0.0127`,
        },
      ],
    },
  };
}

/** From a model up to all its ancestors. */
export function licencesOf(model: ModelDetail): LicenceStep[] {
  return (model.edge?.parents ?? []).flatMap((reference) => {
    const parent = models.find((other) => other.reference === reference);
    if (!parent || !model.edge) return [];
    const looser = parent.licence === "CC-BY-NC-4.0" && model.licence === "apache-2.0";
    const step = {
      child: model.reference,
      child_licence: model.licence,
      parent: reference,
      parent_licence: parent.licence,
      relation: model.edge.relation,
      conflict: looser ? "CC-BY-NC-4.0 asks that there is no commercial use; apache-2.0 does not" : null,
    };
    return [step, ...licencesOf(parent)];
  });
}

export function overview(crawls: Overview["crawls"]): Overview {
  const tally = (key: "relation" | "verdict") => {
    const names = models.flatMap((model) => model[key] ?? []);
    return [...new Set(names)].map((name) => ({
      [key]: name,
      count: names.filter((other) => other === name).length,
    }));
  };
  const silent = models.filter((model) => model.silent_changes > 0);
  return {
    packages: models.length,
    revisions: models.reduce((sum, { revisions }) => sum + revisions, 0),
    fingerprints: models.length - 1,
    tensors: (models.length - 1) * tensorNames.length,
    edges: models.filter(({ edge }) => edge).length,
    silent_changes: silent.reduce((sum, { silent_changes }) => sum + silent_changes, 0),
    failures: 1,
    today: { new_models: 2, revisions: 9, major: 1, silent: 1, unreadable: 0 },
    relations: tally("relation") as Overview["relations"],
    verdicts: tally("verdict") as Overview["verdicts"],
    recent: models.slice(0, 10),
    silent: silent.map((model) => ({
      reference: model.reference,
      revision: hex(`${model.name}1`, 40),
      version: model.version ?? "",
      date: model.modified_at,
      detail: "96 of 147 tensors changed under the commit “Upload folder using huggingface_hub”",
    })),
    contradicted: models.filter(({ verdict }) => verdict === "contradicted"),
    licence_conflicts: models
      .flatMap(licencesOf)
      .filter(
        ({ conflict }, at, all) =>
          conflict && all.findIndex((other) => other.child === all[at]?.child) === at,
      )
      .slice(0, 6),
    crawls,
  };
}
