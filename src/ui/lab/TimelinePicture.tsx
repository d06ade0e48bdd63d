/** A timeline of ranks as SVG: what each computes above, what it sends and waits for below. */
import { type PointerEvent, useRef, useState } from 'react';
import { measure } from '../../store/index.ts';
import { SPAN_KINDS, type SpanKind } from '../../store/lab/index.ts';
import { useSize } from '../charts/useSize.ts';
import { microBatchOf, type RankLanes, type Timeline, type TimelineBlock } from './timeline.ts';
import { SPAN_LABELS } from './words.ts';

/** CSS pixels. */
const LANE = 15;
const GAP = 9;
const ROW = 2 * LANE + GAP;
const LABELS_WIDTH = 26;
const AXIS = 18;
/** Blocks at least this wide show the number of their micro-batch. */
const WIDTH_OF_NUMBER = 13;

interface PictureProps {
  timeline: Timeline;
  /** Of the axis, such as ms. */
  unit: string;
  label: string;
}

export function TimelinePicture({ timeline, unit, label }: PictureProps) {
  const box = useRef<HTMLDivElement>(null);
  const { width } = useSize(box);
  const [pointed, setPointed] = useState('');
  const { ranks, duration } = timeline;
  const height = ranks.length * ROW + AXIS;
  const plot = Math.max(1, width - LABELS_WIDTH - 2);
  const scale = plot / Math.max(duration, 1e-9);
  const point = (event: PointerEvent<SVGSVGElement>): void => {
    const { left, top } = event.currentTarget.getBoundingClientRect();
    const time = (event.clientX - left - LABELS_WIDTH) / scale;
    setPointed(wordsAt(timeline, { time, y: event.clientY - top }, unit));
  };
  return (
    <>
      <div ref={box} className="lab-timeline" style={{ height }}>
        {width > 0 ? (
          <svg
            width={width}
            height={height}
            role="img"
            aria-label={label}
            onPointerMove={point}
            onPointerLeave={() => setPointed('')}
          >
            {ranks.map((rank, row) => (
              <g key={rank.rank} transform={`translate(${LABELS_WIDTH} ${row * ROW})`}>
                <text x={-LABELS_WIDTH} y={LANE + 4} className="lab-axis">
                  r{rank.rank}
                </text>
                <rect width={plot} height={2 * LANE} className="lab-track" />
                <Blocks rank={rank} scale={scale} />
              </g>
            ))}
            <Axis {...{ duration, scale, unit, y: ranks.length * ROW }} />
          </svg>
        ) : null}
      </div>
      <p className="small muted lab-pointed">{pointed || 'Point at a block to read it.'}</p>
    </>
  );
}

/** One path for each kind and lane: a step may have thousands of blocks. */
function Blocks({ rank: { lanes }, scale }: { rank: RankLanes; scale: number }) {
  return (
    <>
      {lanes.map((blocks, lane) =>
        SPAN_KINDS.map((kind) => {
          const path = pathOf(
            blocks.filter((block) => block.kind === kind),
            scale,
            lane * LANE,
          );
          return path ? (
            <path
              key={`${lane} ${kind}`}
              d={path}
              fill={SPAN_LABELS[kind].colour}
              data-kind={kind}
            />
          ) : null;
        }),
      )}
      {lanes[0].map((block, index) => (
        <BlockNumber key={index} block={block} scale={scale} />
      ))}
    </>
  );
}

function pathOf(blocks: readonly TimelineBlock[], scale: number, y: number): string {
  return blocks
    .map(({ start, end }) => {
      const width = Math.max(0.6, (end - start) * scale - 0.6);
      return `M${(start * scale).toFixed(2)} ${y}h${width.toFixed(2)}v${LANE - 1}h${(-width).toFixed(2)}z`;
    })
    .join('');
}

function BlockNumber({ block, scale }: { block: TimelineBlock; scale: number }) {
  const number = microBatchOf(block);
  const width = (block.end - block.start) * scale;
  if (number === null || width < WIDTH_OF_NUMBER) return null;
  return (
    <text x={block.start * scale + width / 2} y={LANE - 4} className="lab-number">
      {number}
    </text>
  );
}

interface AxisProps {
  duration: number;
  scale: number;
  unit: string;
  y: number;
}

const TICKS = [0, 0.25, 0.5, 0.75, 1];

function Axis({ duration, scale, unit, y }: AxisProps) {
  return (
    <g transform={`translate(${LABELS_WIDTH} ${y})`}>
      {TICKS.map((share) => (
        <text
          key={share}
          x={share * duration * scale}
          y={AXIS - 6}
          className="lab-axis"
          textAnchor={anchorOf(share)}
        >
          {measure(share * duration)}
          {share === 1 ? ` ${unit}` : ''}
        </text>
      ))}
    </g>
  );
}

function anchorOf(share: number): 'start' | 'middle' | 'end' {
  if (share === 0) return 'start';
  return share === 1 ? 'end' : 'middle';
}

/** What lies under the pointer: "Rank 1, forward: micro-batch 2, 3.4 ms". */
function wordsAt(
  { ranks }: Timeline,
  { time, y }: { time: number; y: number },
  unit: string,
): string {
  const rank = ranks[Math.floor(y / ROW)];
  const lane = rank?.lanes[y % ROW < LANE ? 0 : 1];
  const block = lane?.findLast(({ start, end }) => start <= time && time <= end);
  if (!rank || !block) return '';
  const { label } = SPAN_LABELS[block.kind];
  return `Rank ${rank.rank}, ${label.toLowerCase()}: ${block.what}, ${measure(block.end - block.start)} ${unit}`;
}

export function TimelineLegend({ kinds }: { kinds: readonly SpanKind[] }) {
  return (
    <ul className="memory-legend plan-legend">
      {kinds.map((kind) => (
        <li key={kind}>
          <i style={{ background: SPAN_LABELS[kind].colour }} /> {SPAN_LABELS[kind].label}
        </li>
      ))}
    </ul>
  );
}
