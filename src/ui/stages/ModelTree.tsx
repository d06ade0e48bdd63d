/** Nested lists of models; the children of a model are indented under it. */
import type { ModelNode } from '../../store/stages/tree.ts';
import { ModelRow } from './ModelRow.tsx';

interface TreeProps {
  nodes: readonly ModelNode[];
  onDelete: (run: string) => void;
  /** Null for the outermost list. */
  parent?: string | null;
}

export function ModelTree({ nodes, onDelete, parent = null }: TreeProps) {
  return (
    <ul
      className="model-tree"
      aria-label={parent === null ? 'Models' : `Trained from ${parent}`}
      data-testid={parent === null ? 'model-tree' : undefined}
    >
      {nodes.map((node) => (
        <li key={node.record.run}>
          <ModelRow node={node} onDelete={onDelete} />
          {node.children.length > 0 ? (
            <ModelTree nodes={node.children} onDelete={onDelete} parent={node.record.name} />
          ) : null}
        </li>
      ))}
    </ul>
  );
}
