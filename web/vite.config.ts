import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { mockApi } from "./tests/mock/plugin.ts";

// `npm run dev` proxies the API of a running `heirloom serve`; `npm run mock` answers it from fixtures instead.
export default defineConfig(({ mode }) => ({
  plugins: [svelte(), ...(mode === "mock" ? [mockApi()] : [])],
  build: {
    target: "es2022",
    // The binary serves a content security policy without `data:`: nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "licences.txt" },
  },
  server: {
    proxy: mode === "mock" ? {} : { "/api": process.env.HEIRLOOM_URL ?? "http://127.0.0.1:7878" },
  },
  test: { include: ["tests/unit/**/*.test.ts"] },
}));
