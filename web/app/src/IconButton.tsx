import type { ReactNode } from "react";

interface Props {
  label: string;
  isPressed?: boolean;
  isOff?: boolean;
  onPress: () => void;
  children: ReactNode;
}

/** A button that shows a picture and is called by its label. */
export function IconButton({ label, isPressed, isOff, onPress, children }: Props) {
  return (
    <button
      type="button"
      className="icon-button"
      title={label}
      aria-label={label}
      aria-pressed={isPressed}
      disabled={isOff}
      onClick={onPress}
    >
      {children}
    </button>
  );
}
