#!/usr/bin/env node
// `npx flota` in a checkout: the sources as they are. The packed one (`npm run build`) is one file without tsx.
import { register } from 'tsx/esm/api';

register();
await import('./main.ts');
