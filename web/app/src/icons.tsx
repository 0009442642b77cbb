// Drawn for this page; every icon is decoration beside a text or a label.
import type { ReactNode } from "react";

function icon(content: ReactNode) {
  return () => (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      {content}
    </svg>
  );
}

export const PlusIcon = icon(<path d="M12 5v14M5 12h14" />);
export const BackIcon = icon(<path d="m14.5 5-7 7 7 7" />);
export const PeopleIcon = icon(
  <>
    <circle cx="9" cy="8.5" r="3.5" />
    <path d="M2.5 19.5c.6-3.4 3.2-5.5 6.5-5.5s5.9 2.1 6.5 5.5M15.5 5.3a3.5 3.5 0 0 1 0 6.4M18 14.4c1.9.8 3.1 2.6 3.5 5.1" />
  </>,
);
export const LinkIcon = icon(
  <path d="M10 14a4.5 4.5 0 0 0 6.4.4l2.8-2.8a4.5 4.5 0 0 0-6.4-6.4L11.5 6.5M14 10a4.5 4.5 0 0 0-6.4-.4l-2.8 2.8a4.5 4.5 0 0 0 6.4 6.4l1.3-1.3" />,
);
export const CloseIcon = icon(<path d="m6 6 12 12M18 6 6 18" />);
export const SendIcon = icon(<path d="M12 19V5M5.5 11.5 12 5l6.5 6.5" />);
export const SmileIcon = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M8.5 14.2c.8 1.2 2 1.9 3.5 1.9s2.7-.7 3.5-1.9M9 9.5v.6M15 9.5v.6" />
  </>,
);
export const ReplyIcon = icon(<path d="M9.5 7 4 12.5 9.5 18M4.5 12.5h9a6 6 0 0 1 6 6" />);
export const EditIcon = icon(<path d="M4.5 19.5h4L19 9a2.1 2.1 0 0 0-3-3L5.5 16.5zM14 8l3 3" />);
export const PinIcon = icon(<path d="M9 4h6l-.8 6 3.3 3.5H6.5L9.8 10zM12 13.5V20" />);
export const TrashIcon = icon(<path d="M5 7h14M10 7V4.5h4V7M6.5 7l.8 12.5h9.4L17.5 7M10.5 10.5v5.5M13.5 10.5v5.5" />);
export const DownIcon = icon(<path d="M12 5v14M5.5 12.5 12 19l6.5-6.5" />);
export const ExitIcon = icon(<path d="M14 4.5H6v15h8M10.5 12H20M16.5 8.5 20 12l-3.5 3.5" />);
export const CheckIcon = icon(<path d="m5 12.5 4.5 4.5L19 7.5" />);

export const SearchIcon = icon(
  <>
    <circle cx="11" cy="11" r="6" />
    <path d="m15.5 15.5 4.5 4.5" />
  </>,
);
export const ChevronIcon = icon(<path d="m9.5 6 6 6-6 6" />);
export const GearIcon = icon(
  <>
    <path d="M4 8h9M19 8h1M4 16h1M11 16h9" />
    <circle cx="16" cy="8" r="2.6" />
    <circle cx="8" cy="16" r="2.6" />
  </>,
);
export const InviteIcon = icon(
  <>
    <circle cx="9.5" cy="8.5" r="3.5" />
    <path d="M3 19.5c.6-3.4 3.2-5.5 6.5-5.5 1.6 0 3 .5 4.1 1.4M18 13.5v7M14.5 17h7" />
  </>,
);
export const MutedIcon = icon(
  <path d="M9 9.5v2.5a3 3 0 0 0 4.6 2.5M15 11V6.5a3 3 0 0 0-5.6-1.5M6 11.5a6 6 0 0 0 9.4 5M18 11.5c0 1-.2 1.9-.7 2.7M12 17.5V21M4 4l16 16" />,
);
export const DoorIcon = icon(<path d="M7 20.5v-17h10v17M4 20.5h16M13.5 12h.1" />);

export function Logo({ className }: { className?: string }) {
  return (
    <svg className={`logo ${className ?? ""}`} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" className="logo-ground" />
      <path d="M16 6.5 26 12v2H6v-2zM8 16h3v7H8zm6.5 0h3v7h-3zM21 16h3v7h-3zM6 24.5h20v2H6z" className="logo-figure" />
    </svg>
  );
}
