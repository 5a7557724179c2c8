export async function checkLevelFolder(folder: string): Promise<void> {
  await Promise.resolve(folder);
}
