import { Component, type ReactNode } from "react";
import { Notice } from "./Entry.tsx";
import { useWords } from "./words/index.ts";

interface Props {
  children: ReactNode;
  /** Shown in the place of what broke. */
  fallback: ReactNode;
}

/** Keeps a part of the page that breaks, or whose file cannot be had, from taking the rest along. */
export class Boundary extends Component<Props, { isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError() {
    return { isBroken: true };
  }

  override componentDidCatch(error: unknown): void {
    console.error(error);
  }

  override render(): ReactNode {
    return this.state.isBroken ? this.props.fallback : this.props.children;
  }
}

/** Drafts and what waits to be sent are kept outside of the page's own memory: loading it anew loses nothing. */
export function Broken() {
  const words = useWords();
  return (
    <Notice title={words.broken} text={words.brokenWhy} action={words.reloadPage} onAction={() => location.reload()} />
  );
}
