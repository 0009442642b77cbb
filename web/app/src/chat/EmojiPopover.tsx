import type { RefObject } from "react";
import { Dialog, Popover } from "react-aria-components";
import { useWords } from "../words/index.ts";
import { EmojiPicker } from "./EmojiPicker.tsx";

export interface PopoverProps {
  /** The button that it belongs to. */
  trigger: RefObject<HTMLButtonElement | null>;
  onChange: (isOpen: boolean) => void;
  onPick: (emoji: string) => void;
}

/** The picker over the page, beside its button. It is there as long as it is open. */
export function EmojiPopover({ trigger, onChange, onPick }: PopoverProps) {
  const words = useWords();
  return (
    <Popover className="popover" placement="top end" offset={6} triggerRef={trigger} isOpen onOpenChange={onChange}>
      <Dialog className="popover-body" aria-label={words.chat.pickEmoji}>
        <EmojiPicker
          onPick={(emoji) => {
            onChange(false);
            onPick(emoji);
          }}
        />
      </Dialog>
    </Popover>
  );
}
