export const playgroundRoutes = [] as const
