import { type ReactNode, useCallback, useRef, useState } from "react";
import { SmileIcon } from "../icons.tsx";
import { later } from "../later.tsx";
import type { PopoverProps } from "./EmojiPopover.tsx";

interface Props {
  label: string;
  className: string;
  onPick: (emoji: string) => void;
  onOpen?: (isOpen: boolean) => void;
  children?: ReactNode;
}

/** The picker and what is under it come with the first press, or before it when there is time. */
export const EmojiPopover = later<PopoverProps>({
  load: () => import("./EmojiPopover.tsx").then(({ EmojiPopover }) => EmojiPopover),
  onFail: ({ onChange }) => onChange(false),
});

/** A button that opens the picker. */
export function EmojiButton({ label, className, onPick, onOpen, children }: Props) {
  const [isOpen, setOpen] = useState(false);
  const ref = useRef<HTMLButtonElement>(null);
  const change = useCallback(
    (open: boolean) => {
      setOpen(open);
      onOpen?.(open);
    },
    [onOpen],
  );
  return (
    <>
      <button
        ref={ref}
        type="button"
        className={className}
        aria-label={label}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        onClick={() => change(!isOpen)}
      >
        {children ?? <SmileIcon />}
      </button>
      {isOpen && <EmojiPopover trigger={ref} onChange={change} onPick={onPick} />}
    </>
  );
}
