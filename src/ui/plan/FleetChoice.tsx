/** The fleet that the ranks run on, and the link between them. */
import { FLEETS, LINKS } from '../../plan/parallel/index.ts';
import { useRun } from '../context.tsx';
import { Choice, NumberField } from './fields.tsx';
import type { Planned } from './planned.ts';
import { choose, editRates, HERE, usePlanning } from './planning.ts';

const FLEET_OPTIONS: readonly (readonly [string, string])[] = [
  [HERE, 'Devices like this one'],
  ...FLEETS.map(({ id, title }) => [id, title] as const),
];
const LINK_OPTIONS = LINKS.map(({ id, title }) => [id, title] as const);

const GIGA = 1e9;
const TERA = 1e12;
const MEGA = 1e6;

export function FleetChoice({ planned: { fleet, speeds } }: { planned: Planned }) {
  const chosen = usePlanning((state) => state.fleet);
  const link = usePlanning((state) => state.link);
  const edited = usePlanning((state) => state.edited);
  return (
    <section className="form-section" aria-label="Fleet">
      <h2>Fleet</h2>
      <div className="plan-fields">
        <Choice
          label="Devices"
          options={FLEET_OPTIONS}
          value={chosen}
          onChange={(id) =>
            choose({ fleet: id, edited: { bytes_per_second: edited.bytes_per_second } })
          }
        />
        <NumberField
          label="How many there are"
          value={fleet.ranks}
          range={[1, 4096]}
          onChange={(devices) => choose({ devices })}
        />
        <NumberField
          label="Memory of one, GB"
          value={round(fleet.bytes_per_rank / GIGA)}
          range={[0.01, 100_000]}
          decimals={2}
          onChange={(gigabytes) => editRates({ bytes: gigabytes * GIGA })}
        />
        <NumberField
          label="Speed of one, TFLOP/s"
          value={round(speeds.device.flops_per_second / TERA)}
          range={[0.0001, 100_000]}
          decimals={4}
          onChange={(teraflops) => editRates({ flops_per_second: teraflops * TERA })}
        />
        <Choice
          label="Link"
          options={LINK_OPTIONS}
          value={link}
          onChange={(id) =>
            choose({ link: id, edited: { ...edited, bytes_per_second: undefined } })
          }
        />
        <NumberField
          label="Link, MB a second"
          value={round(speeds.link.bytes_per_second / MEGA)}
          range={[0.01, 10_000_000]}
          decimals={2}
          onChange={(megabytes) => editRates({ bytes_per_second: megabytes * MEGA })}
        />
      </div>
      <RatesSource />
    </section>
  );
}

const round = (value: number): number => Number(value.toPrecision(4));

/** Whether the rates were measured or are assumed. */
function RatesSource() {
  const fleet = usePlanning((state) => state.fleet);
  const isEdited = usePlanning((state) => state.edited.flops_per_second !== undefined);
  const isMeasured = useRun((state) => state.calibration !== null);
  if (isEdited) return <p className="small muted">The speed is the one that you typed.</p>;
  if (fleet !== HERE)
    return (
      <p className="small muted">
        Speeds and links are assumptions: 40% of the peak of a card, and what each standard reaches
        in practice. Type your own.
      </p>
    );
  return (
    <p className="small muted">
      {isMeasured
        ? 'The speed was measured on this device; the link is an assumption.'
        : 'This device has not been measured yet, so the speed of a laptop is assumed.'}
    </p>
  );
}
