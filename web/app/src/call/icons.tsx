// Drawn for this page; every icon is decoration beside a text or a label.
import { icon } from "../icons.tsx";

export const CameraIcon = icon(<path d="M4 7h10.5v10H4zM14.500 11l5.500-3.200v8.400L14.500 13" />);
export const CameraOffIcon = icon(
  <path d="M8 7h6.500v6.500M14.500 11l5.500-3.200v8.400l-3-1.700M14 17H4V7h.500M4 3.500l16 17" />,
);
export const MicIcon = icon(<path d="M9 6.500a3 3 0 0 1 6 0V12a3 3 0 0 1-6 0zM6 11.500a6 6 0 0 0 12 0M12 17.500V21" />);
export const ScreenIcon = icon(<path d="M4 5h16v11H4zM9 20h6M12 16v4M12 13V8M9.500 10.200 12 7.800l2.500 2.400" />);
export const HandIcon = icon(
  <path d="M8 12.500V6.200a1.300 1.300 0 0 1 2.600 0V11m0-5.800a1.300 1.300 0 0 1 2.600 0V11m0-4.800a1.300 1.300 0 0 1 2.600 0v5.300m0-2.800a1.300 1.300 0 0 1 2.600 0v5.300c0 4-2.400 6.500-6 6.500-3 0-4.600-1.300-6-3.700l-2-3.500c-.9-1.600 1-2.700 2-1.400l1.600 2" />,
);
export const HangUpIcon = icon(
  <path d="M4 14.800c-.9-1-.9-2.700.3-3.700 4.400-3.600 11-3.600 15.400 0 1.200 1 1.200 2.700.3 3.700l-1 1-3.500-1.600v-2.400c-2.300-.8-4.700-.8-7 0v2.400L5 15.800z" />,
);
export const PhoneIcon = icon(
  <path d="M7.500 4.500 10 8.800 8.300 10.700c.9 2.100 2.900 4.100 5 5l1.900-1.700 4.300 2.500-.8 2.600c-.3.800-1 1.200-1.800 1.100C10.400 19.500 4.500 13.600 3.800 7.100c-.1-.8.400-1.500 1.100-1.800z" />,
);
export const GridIcon = icon(
  <path d="M4.500 5h6.500v6H4.500zM13 5h6.500v6H13zM4.500 13h6.500v6H4.500zM13 13h6.500v6H13z" />,
);
export const SpeakerIcon = icon(<path d="M4 5h16v9.500H4zM4.500 17.500h3.500M10.200 17.500h3.500M16 17.500h3.500" />);
export const PictureIcon = icon(<path d="M20 11V5H4v13h6.500M13 14h7v5h-7z" />);
export const ChatIcon = icon(<path d="M4.500 5h15v11h-8l-4 3.500V16h-3z" />);
export const SignalIcon = icon(<path d="M5 19v-3.500M10 19v-7M15 19V8.500M20 19V5" />);
export const LockIcon = icon(<path d="M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3" />);
