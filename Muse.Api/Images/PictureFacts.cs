using System.Globalization;
using System.Text.Json;
using Muse.Queue;

namespace Muse.Api;

/// <summary>What the images API's answers and events tell of pictures.</summary>
static class PictureFacts
{
    /// <summary>Muse's own facts of one picture: the seed that paints it again, and what was done to it.</summary>
    public static void Write(Utf8JsonWriter json, PictureSnapshot picture)
    {
        json.WriteNumber("seed", picture.Seed);
        if (picture.PromptCutOff is { } cutOff)
            json.WriteString("prompt_cut_off", cutOff);
        if (picture.Flagged)
            json.WriteBoolean("flagged", true);
    }

    /// <summary>The facts that a job's pictures have in common.</summary>
    public static void WriteJob(Utf8JsonWriter json, JobSnapshot job, ImagesQuestion asked)
    {
        json.WriteString("id", job.Job.Id);
        json.WriteNumber("seed", job.Job.Seed);
        json.WriteString("size", Size(job));
        json.WriteString("quality", asked.AnsweredQuality);
        json.WriteString("output_format", PictureLinks.Extension(job.Job.Format));
        json.WriteString("background", "opaque");
    }

    /// <summary>OpenAI's count of tokens. There are none to pay for here; the text's are counted as words, and the pictures' as patches of 8 by 8 pixels, the latent's size.</summary>
    public static void WriteUsage(Utf8JsonWriter json, JobSnapshot job, int pictures)
    {
        var first = job.Pictures[0];
        var words = Words(job.Job.Prompt);
        var patches = (long)(first.Width / 8) * (first.Height / 8) * pictures;
        json.WriteStartObject("usage");
        json.WriteNumber("input_tokens", words);
        json.WriteNumber("output_tokens", patches);
        json.WriteNumber("total_tokens", words + patches);
        json.WriteStartObject("input_tokens_details");
        json.WriteNumber("text_tokens", words);
        json.WriteNumber("image_tokens", 0);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The pictures' size: the painted one's where there is one.</summary>
    public static string Size(JobSnapshot job)
    {
        foreach (var picture in job.Pictures)
        {
            if (picture.Width > 0)
                return string.Create(CultureInfo.InvariantCulture, $"{picture.Width}x{picture.Height}");
        }

        return job.Job is { Width: { } width, Height: { } height } ? string.Create(CultureInfo.InvariantCulture, $"{width}x{height}") : "auto";
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
