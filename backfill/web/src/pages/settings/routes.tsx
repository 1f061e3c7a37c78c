export const settingRoutes = [] as const
