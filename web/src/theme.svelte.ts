// Light, dark, or what the system says. `public/theme.js` applies the choice before the first paint.

export type Theme = "system" | "light" | "dark";

const ORDER: readonly Theme[] = ["system", "light", "dark"];

class ThemeChoice {
  current = $state<Theme>(stored());

  next(): void {
    this.current = ORDER[(ORDER.indexOf(this.current) + 1) % ORDER.length] ?? "system";
    if (this.current === "system") {
      localStorage.removeItem("theme");
      delete document.documentElement.dataset.theme;
    } else {
      localStorage.setItem("theme", this.current);
      document.documentElement.dataset.theme = this.current;
    }
  }
}

function stored(): Theme {
  const value = localStorage.getItem("theme");
  return value === "light" || value === "dark" ? value : "system";
}

export const theme = new ThemeChoice();
