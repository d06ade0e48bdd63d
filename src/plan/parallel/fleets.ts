/** Fleets of devices and links between them that can be chosen; every number can be edited. */
import type { DeviceSpeed } from '../duration.ts';
import type { Link } from './step_time.ts';

export interface FleetDevice {
  id: string;
  title: string;
  /** Memory of one device that training can use. */
  bytes: number;
  speed: DeviceSpeed;
}

const TERA = 1e12;
const GIGA = 1e9;

/**
 * Speeds are assumptions: of cards, 40 per cent of the dense half-precision peak of an RTX 4090, an
 * A100 and an H200 (165, 312 and 989 TFLOP/s), which well-tuned training reaches; of phones and
 * laptops, the order of magnitude that WebGPU reaches on their GPUs. A browser gets about half of
 * the memory of a phone of 6 GB or a laptop of 16 GB.
 */
export const FLEETS: readonly FleetDevice[] = [
  device('phone', 'Phones, 3 GB usable', 3, 0.1),
  device('laptop', 'Laptops, 8 GB usable', 8, 1),
  device('card_24', 'Cards of 24 GB', 24, 66),
  device('card_80', 'Cards of 80 GB', 80, 125),
  device('card_141', 'Cards of 141 GB', 141, 395),
];

function device(id: string, title: string, gigabytes: number, teraflops: number): FleetDevice {
  const speed = { flops_per_second: teraflops * TERA, step_overhead_ms: 0 };
  return { id, title, bytes: gigabytes * GIGA, speed };
}

export interface NamedLink extends Link {
  id: string;
  title: string;
}

/**
 * Bytes a second that one device sends, near what each standard reaches in practice: Wi-Fi 5 in one
 * room, Ethernet, PCIe 4.0 x16, and one direction of NVLink 4.
 */
export const LINKS: readonly NamedLink[] = [
  link('wifi', 'Wi-Fi, 200 Mbit/s', 0.025, 5e-3),
  link('ethernet_1', 'Ethernet, 1 Gbit/s', 0.117, 2e-4),
  link('ethernet_10', 'Ethernet, 10 Gbit/s', 1.17, 5e-5),
  link('pcie', 'PCIe 4.0 x16', 25, 1e-5),
  link('nvlink', 'NVLink 4', 400, 5e-6),
];

function link(id: string, title: string, gigabytes: number, latency_seconds: number): NamedLink {
  return { id, title, bytes_per_second: gigabytes * GIGA, latency_seconds };
}
