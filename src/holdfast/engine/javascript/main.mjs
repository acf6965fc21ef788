// The program of a run process: what `serve` waits for is executed by `Run`.

import { guard } from './guard.mjs';
import { Run } from './run.mjs';
import { serve } from './serve.mjs';

serve(Run, guard());
