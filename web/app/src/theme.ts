// Light or dark: by the system, unless somebody has chosen.
import { currentSettings, onSettings } from "./settings.ts";

function show(): void {
  const { theme } = currentSettings();
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

show();
onSettings(show);
