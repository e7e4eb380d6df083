// A study of a small hub: every section has something to show, one contrast is significant, one figure is missing.

import type { GroupMeasures, LabelCount, Study } from "../../src/api/types";

const TOTAL = 1200;

function counts(...pairs: [label: string, count: number][]): LabelCount[] {
  return pairs.map(([label, count]) => ({ label, count, share: count / TOTAL }));
}

function group(label: string, packages: number, steps: number): GroupMeasures {
  return {
    label,
    packages,
    with_card: Math.round(packages * 0.7),
    with_licence: Math.round(packages * 0.6),
    with_datasets: Math.round(packages * 0.2),
    with_base_model: Math.round(packages * 0.4),
    changes: {
      steps,
      weight_file_changed: Math.round(steps / 2),
      not_represented: Math.round(steps / 4),
      tensors_changed: Math.round(steps / 3),
      tensors_unknown: Math.round(steps / 10),
      silent: Math.round(steps / 8),
    },
  };
}

const all = group("all", TOTAL, 800);
const relations = counts(["finetune", 420], ["quantized", 160], ["adapter", 90], ["merge", 40]);

export const study: Study = {
  source: "the database",
  names: {
    names: TOTAL,
    conventions: 310,
    practices: { sample: 384, distinct: 171.4, extrapolated: false },
    frequent_conventions: counts(
      ["{identifier}", 210],
      ["{base-model}{size}", 130],
      ["{base-model}{size}{training-mechanism}", 84],
      ["{base-model}{variant-type}{dataset}", 41],
      ["{identifier}{base-model}{size}{training-mechanism}{variant-type}{version}", 3],
    ),
    convention_ranks: [1, 2, 3, 5, 10, 20, 50, 100, 310].map((rank) => ({
      rank,
      count: Math.max(1, Math.round(210 / rank)),
    })),
    kinds: counts(["identifier", 700], ["base-model", 640], ["size", 410]),
    base_models: 52,
    frequent_base_models: counts(["llama2", 130], ["bert", 110], ["mistral", 84]),
    modifications: counts(["quantization", 170], ["fine-tuning", 95]),
    variant_types: counts(["quantization", 120], ["fine-tuning", 90], ["knowledge distillation", 4]),
    versions: { major: 60, minor: 24, major_with_predecessor: 27, minor_with_predecessor: 8 },
    release_lines: 11,
  },
  packages: {
    all,
    hubs: [group("hf", 1000, 700), group("onnx", 200, 100)],
    years: [group("2023", 300, 180), group("2024", 500, 400), group("2025", 400, 220)],
    model_types: counts(["llama", 300], ["bert", 240]),
    relations,
    techniques: counts(["full", 300], ["lora", 90], ["gguf", 80]),
    extensions: counts([".json", 1100], [".safetensors", 900], [".bin", 400]),
    changes: all.changes,
    bumps: counts(["patch", 400], ["minor", 300], ["major", 80], ["none", 20]),
    major_kinds: counts(["architecture", 60], ["tokenizer", 30]),
    minor_kinds: counts(["weights", 280]),
    declared_steps: counts(["major", 40], ["minor", 60]),
    contrasts: [
      {
        kind: "architecture",
        major: 30,
        major_steps: 40,
        minor: 2,
        minor_steps: 60,
        odds_ratio: 87,
        p_value: 1.2e-14,
        adjusted_p_value: 2.4e-14,
        significant: true,
      },
      {
        kind: "base_model",
        major: 4,
        major_steps: 40,
        minor: 0,
        minor_steps: 60,
        odds_ratio: null,
        p_value: 0.023,
        adjusted_p_value: 0.046,
        significant: true,
      },
      {
        kind: "weights",
        major: 31,
        major_steps: 40,
        minor: 52,
        minor_steps: 60,
        odds_ratio: 0.53,
        p_value: 0.29,
        adjusted_p_value: 0.58,
        significant: false,
      },
    ],
  },
  replication: null,
  comparison: [
    {
      measure: "naming practices",
      published: "148",
      replicated: null,
      ours: "171 (expected in 384)",
      definition: "distinct orders of segments among 384 names",
      missing: "needs the study's data",
    },
    {
      measure: "weight-file changes not represented",
      published: "40.87 %",
      replicated: null,
      ours: "50.00 %",
      definition: "not the same figure",
      missing: "neither the changes nor their denominator are published with the study's data",
    },
    {
      measure: "file types",
      published: "192",
      replicated: "190",
      ours: null,
      definition: "distinct extensions",
      missing: null,
    },
  ],
};
