export {
  CandelaClient,
  type ClientOptions,
  type FeatureQuestion,
  type Quantity,
  type Subject,
  type UsageEvent,
} from "./client.js";
export type { Services } from "./services.js";
