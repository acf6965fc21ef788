// The reference's own project package, driven by tests: one JSON document in, one out.
// usage: node openfn_project.mjs <path of @openfn/project> ; input: {state, seed?, base?}
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

// read first: the package's logger makes stdin one that does not wait
const jobs = JSON.parse(readFileSync(0, 'utf8'));
const { default: Project, generateVersionHash } = await import(pathToFileURL(process.argv[2]).href);

/** A generator of numbers below 1 from a seed. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Change a project as its author might: code, names, steps and edges that come and go. */
function mutate(project, seed) {
  const next = random(seed);
  const done = [];
  for (const workflow of project.workflows) {
    const steps = workflow.steps.filter(step => !step.type);
    const pick = steps[Math.floor(next() * steps.length)];
    switch (Math.floor(next() * 6)) {
      case 0:
        pick.expression = `fn(s => ({ ...s, seed: ${seed} }));\n// "é" 'x'\n`;
        done.push('code');
        break;
      case 1:
        pick.adaptor = '@openfn/language-http@7.2.10';
        done.push('adaptor');
        break;
      case 2: {
        const id = `added-${seed}`;
        workflow.steps.push({ id, name: `Added ${seed}`, adaptor: pick.adaptor, expression: 'fn(s => s)' });
        pick.next = { ...pick.next, [id]: { condition: 'state.ok', label: 'new' } };
        done.push('step');
        break;
      }
      case 3:
        if (steps.length > 1) {
          workflow.workflow.steps = workflow.steps.filter(step => step !== pick);
          for (const step of workflow.steps) if (step.next) delete step.next[pick.id];
          done.push('removed step');
        }
        break;
      case 4:
        for (const target of Object.keys(pick.next ?? {})) {
          delete pick.next[target];
          done.push('removed edge');
          break;
        }
        break;
      default:
        for (const edge of Object.values(pick.next ?? {})) {
          edge.disabled = !edge.disabled;
          done.push('edge');
        }
    }
  }
  return done;
}

const answers = [];
for (const job of jobs) {
  const project = await Project.from('state', job.state, { endpoint: 'http://localhost' });
  const answer = {
    hashes: Object.fromEntries(project.workflows.map(w => [w.openfn.uuid, w.getVersionHash()])),
    heads: Object.fromEntries(project.workflows.map(w => [w.openfn.uuid, w.history.at(-1)])),
    yaml: project.serialize('project', { format: 'yaml' }),
    files: project.serialize('fs'),
  };
  const json = project.serialize('project', { format: 'json' });
  if (job.seed !== undefined) {
    const changed = await Project.from('project', JSON.parse(JSON.stringify(json)));
    answer.done = mutate(changed, job.seed);
    const again = await Project.from('project', changed.serialize('project', { format: 'json' }));
    answer.state = again.serialize('state', { format: 'json' });
    answer.wanted = JSON.parse(JSON.stringify(again.serialize('project', { format: 'json' })));
    answer.wantedHashes = Object.fromEntries(again.workflows.map(w => [w.id, generateVersionHash(w)]));
  }
  answer.project = JSON.parse(JSON.stringify(json));
  answer.hashesById = Object.fromEntries(project.workflows.map(w => [w.id, w.getVersionHash()]));
  answers.push(answer);
}
process.stdout.write(JSON.stringify(answers));
