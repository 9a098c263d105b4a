using System.Globalization;
using System.Text.Json;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Writes the fields of images and jobs that responses and events of the images API share.</summary>
static class ImageJson
{
    /// <summary>Muse's own fields of one image: its seed, and what was done to it.</summary>
    public static void WriteImage(Utf8JsonWriter json, ImageSnapshot image)
    {
        json.WriteNumber("seed", unchecked((ulong)image.Seed));
        if (image.PromptCutOff is { } cutOff)
            json.WriteString("prompt_cut_off", cutOff);
        if (image.Flagged)
            json.WriteBoolean("flagged", true);
    }

    /// <summary>The fields that all images of a job share.</summary>
    public static void WriteJob(Utf8JsonWriter json, JobSnapshot job, ImagesRequestContext request)
    {
        json.WriteString("id", job.Job.Id);
        json.WriteNumber("seed", unchecked((ulong)job.Job.Seed));
        json.WriteString("size", Size(job));
        json.WriteString("quality", request.ResponseQuality);
        json.WriteString("output_format", ImageLinks.Extension(job.Job.Format));
        json.WriteString("background", "opaque");
        json.WriteString("model", request.Model);
    }

    /// <summary>Fields that had no effect or another one than requested, each in a sentence.</summary>
    public static void WriteWarnings(Utf8JsonWriter json, ImagesRequestContext request)
    {
        if (request.Submission.Warnings.Count == 0)
            return;
        json.WriteStartArray("warnings");
        foreach (var warning in request.Submission.Warnings)
            json.WriteStringValue(warning);
        json.WriteEndArray();
    }

    /// <summary>OpenAI's count of tokens: the words of the prompt, and patches of 8 by 8 pixels, the size of a latent's pixel.</summary>
    public static void WriteUsage(Utf8JsonWriter json, JobSnapshot job, int images)
    {
        var first = job.Images[0];
        var words = Words(job.Job.Prompt);
        var patches = (long)(first.Width / 8) * (first.Height / 8) * images;
        json.WriteStartObject("usage");
        var inputPatches = job.Job.Input is { } input ? (long)(input.ContentWidth / 8) * (input.ContentHeight / 8) : 0;
        json.WriteNumber("input_tokens", words + inputPatches);
        json.WriteNumber("output_tokens", patches);
        json.WriteNumber("total_tokens", words + inputPatches + patches);
        json.WriteStartObject("input_tokens_details");
        json.WriteNumber("text_tokens", words);
        json.WriteNumber("image_tokens", inputPatches);
        json.WriteEndObject();
        json.WriteStartObject("output_tokens_details");
        json.WriteNumber("image_tokens", patches);
        json.WriteNumber("text_tokens", 0);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The size of the images: of a completed one, else the requested one.</summary>
    public static string Size(JobSnapshot job)
    {
        foreach (var image in job.Images)
        {
            if (image.Width > 0)
                return string.Create(CultureInfo.InvariantCulture, $"{image.Width}x{image.Height}");
        }

        return job.Job is { Width: { } width, Height: { } height } ? string.Create(CultureInfo.InvariantCulture, $"{width}x{height}")
            : "auto";
    }

    static int Words(string prompt)
    {
        var words = 0;
        var inWord = false;
        foreach (var c in prompt)
        {
            var letter = !char.IsWhiteSpace(c);
            if (letter && !inWord)
                words++;
            inWord = letter;
        }
        return words;
    }
}
