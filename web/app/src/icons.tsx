// Drawn for this page; every icon is decoration beside a text or a label.
import type { ReactNode } from "react";

export function icon(content: ReactNode) {
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
export const ThreadIcon = icon(<path d="M4.5 5.5h15v10h-8l-4 3.5v-3.5h-3zM8.5 9h7M8.5 12h4.5" />);
export const MoreIcon = icon(
  <>
    <circle cx="5.5" cy="12" r="0.8" />
    <circle cx="12" cy="12" r="0.8" />
    <circle cx="18.5" cy="12" r="0.8" />
  </>,
);
export const CopyIcon = icon(<path d="M9 8.5h10.5V20H9zM5.5 15.5h-1V4H15v1.5" />);
export const MegaphoneIcon = icon(<path d="M4.5 10v4.5h3.5l9 4V6l-9 4zM8.5 14.5l1 5h2.5l-1-4M20 10.5v3.5" />);
export const ClockIcon = icon(
  <>
    <circle cx="12" cy="12" r="8" />
    <path d="M12 7.5V12l3 2" />
  </>,
);
export const BoldIcon = icon(<path d="M7.5 5h5.2a3.4 3.4 0 0 1 0 6.8H7.5zM7.5 11.8h6a3.6 3.6 0 0 1 0 7.2h-6z" />);
export const ItalicIcon = icon(<path d="M10 5h7M7 19h7M13.8 5l-3.6 14" />);
export const StrikeIcon = icon(
  <path d="M16.8 7.6C16 6 14.3 5 12.2 5 9.600 5 7.600 6.300 7.600 8.400c0 1.500 1 2.500 2.600 3.100M4.500 12.500h15M7 16c.8 1.900 2.700 3 5.100 3 2.800 0 4.900-1.400 4.900-3.600 0-1-.4-1.800-1.100-2.400" />,
);
export const CodeIcon = icon(<path d="m8.500 7.500-5 4.500 5 4.500M15.500 7.500l5 4.500-5 4.500" />);
export const ListIcon = icon(<path d="M9.500 6.500h10M9.500 12h10M9.500 17.500h10M5 6.500h.1M5 12h.1M5 17.500h.1" />);
export const QuoteIcon = icon(<path d="M5 5v14M9.500 7h10M9.500 12h10M9.500 17h6" />);

export function Logo({ className }: { className?: string }) {
  return (
    <svg className={`logo ${className ?? ""}`} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" className="logo-ground" />
      <path d="M16 6.5 26 12v2H6v-2zM8 16h3v7H8zm6.5 0h3v7h-3zM21 16h3v7h-3zM6 24.5h20v2H6z" className="logo-figure" />
    </svg>
  );
}
export const BoardIcon = icon(
  <>
    <rect x="3" y="4.5" width="18" height="13" rx="2" />
    <path d="M7 13.5c1.5-4 3-4 4-1.5s2.5 2 5.5-3M12 17.5v3" />
  </>,
);
