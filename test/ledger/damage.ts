/** Every so many bytes of a table file one is damaged. */
export const DAMAGE_STEP = 23
