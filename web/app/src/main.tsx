import "./fragment.ts";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/room.css";
import "./styles/messages.css";
import "./styles/composer.css";
import "./styles/panes.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.tsx";
import { Boundary, Broken } from "./Boundary.tsx";
import "./theme.ts";

const root = document.getElementById("root");
if (!root) throw new Error("the page has no #root");
createRoot(root).render(
  <StrictMode>
    <Boundary fallback={<Broken />}>
      <App />
    </Boundary>
  </StrictMode>,
);
