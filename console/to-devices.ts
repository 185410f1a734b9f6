/** The address of the devices that a query finds. */
export const toDevices = (query: string): string => `/devices?q=${encodeURIComponent(query)}`;
