const renamed: Readonly<Record<string, string>> = {
  query: 'to_q',
  key: 'to_k',
  value: 'to_v',
  proj_attn: 'to_out.0',
}

/**
 * The present name of an attention's tensor. Until 2023 diffusers saved the autoencoder's attention under other names,
 * and the repositories of Stable Diffusion 1.5 and its kin still hold them (diffusers
 * `_convert_deprecated_attention_blocks`).
 */
export function presentAttentionName(name: string): string {
  return name.replace(
    /(\battentions\.\d+\.)(query|key|value|proj_attn)(?=\.(weight|bias)$)/,
    (_, path: string, old: string) => path + renamed[old],
  )
}
