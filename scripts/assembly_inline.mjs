/**
 * A transform of the AssemblyScript compiler: every function in `assembly/inlined/` is inlined where
 * it is called. Prettier and ESLint cannot parse the decorator on functions that asks for it.
 */
import { Node, NodeKind } from 'assemblyscript/dist/assemblyscript.js';
import { Transform } from 'assemblyscript/transform';

export default class InlineTransform extends Transform {
  afterParse(parser) {
    for (const source of parser.sources) {
      if (!/(^|\/)inlined\//u.test(source.internalPath)) continue;
      for (const statement of source.statements) {
        if (statement.kind !== NodeKind.FunctionDeclaration) continue;
        const name = Node.createIdentifierExpression('inline', statement.range);
        statement.decorators = [Node.createDecorator(name, null, statement.range)];
      }
    }
  }
}
