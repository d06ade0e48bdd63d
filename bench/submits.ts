/** Counts every submit to a GPU queue, tfjs's too, from the time that this module is loaded. */
let count = 0;
export const queueSubmits = (): number => count;

const submit: unknown = typeof GPUQueue === 'undefined' ? null : Object.getOwnPropertyDescriptor(GPUQueue.prototype, 'submit')?.value;
if (typeof submit === 'function') {
  GPUQueue.prototype.submit = function (this: GPUQueue, buffers): undefined {
    count++;
    Reflect.apply(submit, this, [buffers]);
  };
}
