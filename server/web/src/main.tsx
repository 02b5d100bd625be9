import { render } from 'preact';
import { AppStore } from './store/app';
import { App } from './ui/app';
import './ui/style.css';

const place = document.getElementById('app');
if (place === null) throw new Error('index.html has no element #app');
const app = new AppStore();
render(<App app={app} />, place);
app.start();
