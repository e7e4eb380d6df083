import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { router } from "./router.svelte";

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no #app");
router.start();
mount(App, { target });
