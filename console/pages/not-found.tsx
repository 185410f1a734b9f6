export { Missing as default } from '../parts/missing.tsx';
