using System.Globalization;
using System.Text;

namespace Muse.Diffusion;

/// <summary>How an image was made, in the words that the popular user interfaces write into PNG files and read back.</summary>
public static class ImageParameters
{
    /// <summary>Describes a request: prompt, negative prompt, and a line of settings.</summary>
    /// <param name="request">The request.</param>
    /// <param name="model">The model that generated it.</param>
    public static string Describe(GenerationRequest request, ModelTraits model)
    {
        var text = new StringBuilder(request.Prompt).Append('\n');
        if (!string.IsNullOrEmpty(request.NegativePrompt))
            text.Append("Negative prompt: ").Append(request.NegativePrompt).Append('\n');
        var sampler = Title(model.SamplerOf(request));
        text.Append(CultureInfo.InvariantCulture,
            $"Steps: {request.Steps}, Sampler: {sampler}, CFG scale: {request.GuidanceScale}, Seed: {(ulong)request.Seed}, Size: "
                + $"{request.Width}x{request.Height}, Model: {model.Name}");
        if (request.Input is { } input)
            text.Append(CultureInfo.InvariantCulture, $", Denoising strength: {input.Strength}{(input.Mask is null ? "" : ", Mask: yes")}");
        return text.ToString();
    }

    static string Title(string sampler) => Samplers.CanonicalName(sampler) switch
    {
        "euler" => "Euler",
        "euler_a" => "Euler a",
        "ddim" => "DDIM",
        "dpmpp_2m" => "DPM++ 2M",
        "dpmpp_2m_karras" => "DPM++ 2M Karras",
        "dpmpp_2m_sde" => "DPM++ 2M SDE",
        "dpmpp_2m_sde_karras" => "DPM++ 2M SDE Karras",
        "pndm" => "PLMS",
        "heun" => "Heun",
        "unipc" => "UniPC",
        "lcm" => "LCM",
        _ => sampler,
    };
}
