import { isIPv4, isIPv6 } from "node:net";

/** Whether "host:port" is this machine itself; a name that only begins like its address is not. */
export function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
  return host === "localhost" || (isIPv4(host) && host.startsWith("127.")) || (isIPv6(host) && host === "::1");
}
