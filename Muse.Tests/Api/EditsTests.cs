using System.ClientModel;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using OpenAI;
using OpenAI.Images;
using SkiaSharp;

#pragma warning disable OPENAI001 // The client marks newer options as experimental.

namespace Muse.Tests.Api;

/// <summary>Edits over HTTP, with a worker that only records what it gets.</summary>
public sealed class EditsTests : IAsyncLifetime
{
    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync();

    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableFact]
    public async Task The_official_NET_client_edits_with_a_mask()
    {
        var client = new ImageClient("gpt-image-1", new ApiKeyCredential("unused"),
            new OpenAIClientOptions { Endpoint = new(server.Address, "/v1") });
        using var image = new MemoryStream(Image(128, 96, (x, _) => new((byte)x, 10, 20)));
        using var mask = new MemoryStream(Image(128, 96, (x, _) => new(0, 0, 0, x < 64 ? (byte)0 : (byte)255)));
        var edited = (await client.GenerateImageEditAsync(image, "image.png", "a blue star", mask, "mask.png")).Value;
        using var bitmap = SKBitmap.Decode(edited.ImageBytes.ToArray());
        Assert.Equal((128, 96), (bitmap.Width, bitmap.Height));

        var (job, pixels, area) = server.Worker!.Inputs.Single();
        Assert.Equal((128, 96, 1.0, true), (job.Width, job.Height, job.Input!.Strength, job.Input.HasMask));
        Assert.Equal("euler", job.Sampler); // The model's own for edits with a mask.
        Assert.Equal([5, 10, 20], pixels[(3 * 5)..(3 * 6)]);
        Assert.Equal([255, 255, 0, 0], area![62..66]);
    }

    [SkippableFact]
    public async Task A_form_with_the_fields_of_other_clients_is_read_as_the_JSON_body_is()
    {
        using var form = Form(("image[]", Image(128, 128)));
        foreach (var (name, value) in ((string, string)[])[("n", "2"), ("size", "128x128"),
            ("response_format", "b64_json"), ("strength", "0.4"), ("seed", "7"), ("stream", "false"),
            ("model", "gpt-image-1"), ("user", "")])
        {
            form.Add(new StringContent(value), name);
        }
        using var answer = await server.Client.PostAsync("/v1/images/edits", form);
        var body = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal((HttpStatusCode.OK, 2), (answer.StatusCode, body.GetProperty("data").GetArrayLength()));
        Assert.Equal(256, body.GetProperty("usage").GetProperty("input_tokens_details").GetProperty("image_tokens").GetInt32());
        var job = server.Worker!.Seen.First();
        Assert.Equal((0.4, 7, false), (job.Input!.Strength, job.Seed, job.Input.HasMask));
    }

    [SkippableFact]
    public async Task The_JSON_body_takes_data_URLs_and_the_jobs_API_takes_them_too()
    {
        var url = $"data:image/png;base64,{Convert.ToBase64String(Image(128, 128))}";
        var images = new[] { new { image_url = url } };
        using var edit = await server.Client.PostAsJsonAsync("/v1/images/edits",
            new { prompt = "a fox", images, mask = new { image_url = Mask(128, 128) }, strength = 0.5 });
        Assert.Equal(HttpStatusCode.OK, edit.StatusCode);
        using var generation = await server.Client.PostAsJsonAsync("/v1/generations",
            new { prompt = "a fox", image = url, mask = Mask(128, 128), strength = 0.5 });
        Assert.Equal(HttpStatusCode.Accepted, generation.StatusCode);
        await WaitForInputsAsync(2);
        Assert.All(server.Worker!.Inputs, input => Assert.Equal((0.5, true), (input.Job.Input!.Strength, input.Mask is not null)));
    }

    [SkippableFact]
    public async Task A_stream_has_the_events_of_edits()
    {
        var body = new
        {
            prompt = "a fox, stepwise",
            image = $"data:image/png;base64,{Convert.ToBase64String(Image(128, 128))}",
            stream = true,
            partial_images = 1,
        };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/images/edits") { Content = JsonContent.Create(body) };
        using var answer = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var events = await Sse.ReadAllAsync(await answer.Content.ReadAsStreamAsync(), item =>
        {
            if (item.EventType == "image_edit.partial_image")
                server.Worker!.Advance();
            return false;
        });
        Assert.Equal(["image_edit.partial_image", "image_edit.completed"], events.Select(item => item.EventType));
    }

    [SkippableTheory]
    [InlineData(1000, 500, 184, 96, 181, 91)]     // Larger than the model's own area: made smaller, padded to multiples of 8.
    [InlineData(128, 120, 128, 120, 128, 120)]    // Near to it: kept.
    [InlineData(40, 30, 152, 112, 148, 111)]      // Much smaller: made larger.
    [InlineData(2000, 20, 512, 64, 512, 5)]       // Very wide: as wide as the model can, padded to its smallest height.
    public async Task The_input_is_brought_to_a_size_of_the_model_and_the_result_has_its_aspect_ratio(
        int width, int height, int modelWidth, int modelHeight, int contentWidth, int contentHeight)
    {
        using var form = Form(("image", Image(width, height)));
        using var answer = await server.Client.PostAsync("/v1/images/edits", form);
        var body = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal($"{contentWidth}x{contentHeight}", body.GetProperty("size").GetString());
        var (job, pixels, _) = server.Worker!.Inputs.Single();
        Assert.Equal((modelWidth, modelHeight, contentWidth, contentHeight),
            (job.Width, job.Height, job.Input!.ContentWidth, job.Input.ContentHeight));
        Assert.Equal(3 * modelWidth * modelHeight, pixels.Length);
    }

    [SkippableTheory]
    [InlineData(SKEncodedImageFormat.Png)]
    [InlineData(SKEncodedImageFormat.Jpeg)]
    [InlineData(SKEncodedImageFormat.Webp)]
    public async Task Every_format_is_read(SKEncodedImageFormat format)
    {
        using var form = Form(("image", Image(128, 128, (_, _) => new(200, 100, 50), format)));
        using var answer = await server.Client.PostAsync("/v1/images/edits", form);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var pixel = server.Worker!.Inputs.Single().Image[..3];
        Assert.All(pixel.Zip((byte[])[200, 100, 50]), pair => Assert.InRange(pair.First - pair.Second, -6, 6));
    }

    [SkippableFact]
    public async Task A_photo_is_turned_as_its_Exif_orientation_says()
    {
        // The left half is red. Orientation 6 turns the image to the right: the upper half is red then.
        var jpeg = Image(128, 96, (x, _) => x < 64 ? new SKColor(255, 0, 0) : new SKColor(0, 0, 255), SKEncodedImageFormat.Jpeg);
        byte[] exif =
        [
            0xFF, 0xE1, 0, 34, .. "Exif\0\0"u8, .. "MM"u8, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0,
        ];
        using var form = Form(("image", [.. jpeg[..2], .. exif, .. jpeg[2..]]));
        using var answer = await server.Client.PostAsync("/v1/images/edits", form);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var (job, pixels, _) = server.Worker!.Inputs.Single();
        Assert.Equal((96, 128), (job.Width, job.Height));
        Assert.True(pixels[3 * 40] > 200 && pixels[^3] < 50, "The image was not turned.");
    }

    [SkippableFact]
    public async Task An_image_with_transparent_pixels_is_its_own_mask()
    {
        using var form = Form(("image", Image(128, 128, (x, _) => new(50, 60, 70, x < 32 ? (byte)0 : (byte)255))));
        using var answer = await server.Client.PostAsync("/v1/images/edits", form);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal([255, 0], server.Worker!.Inputs.Single().Mask![31..33]);
    }

    [SkippableFact]
    public async Task White_pixels_of_a_mask_are_edited_where_the_request_says_so()
    {
        using var form = Form(("image", Image(128, 128)),
            ("mask", Image(128, 128, (x, _) => x < 32 ? SKColors.White : SKColors.Black)));
        form.Add(new StringContent("white_is_edit"), "mask_mode");
        using var answer = await server.Client.PostAsync("/v1/images/edits", form);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal([255, 0], server.Worker!.Inputs.Single().Mask![31..33]);
    }

    [SkippableFact]
    public async Task A_mask_is_scaled_with_its_image_and_keeps_the_padding()
    {
        using var form = Form(("image", Image(1000, 500)),
            ("mask", Image(1000, 500, (x, _) => new(0, 0, 0, x < 500 ? (byte)0 : (byte)255))));
        using var answer = await server.Client.PostAsync("/v1/images/edits", form);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var (job, _, mask) = server.Worker!.Inputs.Single();
        var (width, input) = (job.Width!.Value, job.Input!);
        var row = mask![..width];
        Assert.All(row[..(input.ContentWidth / 2 - 2)], value => Assert.Equal(255, value));
        Assert.All(row[(input.ContentWidth / 2 + 2)..], value => Assert.Equal(0, value));
        Assert.All(mask[(width * input.ContentHeight)..], value => Assert.Equal(0, value));
    }

    [SkippableFact]
    public async Task With_a_size_the_image_is_cut_to_its_shape_in_the_middle()
    {
        // Red, then blue: the middle of a wide image has as much of both.
        using var form = Form(("image", Image(256, 128, (x, _) => x < 128 ? new SKColor(255, 0, 0) : new SKColor(0, 0, 255))));
        form.Add(new StringContent("128x128"), "size");
        using var answer = await server.Client.PostAsync("/v1/images/edits", form);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var (job, pixels, _) = server.Worker!.Inputs.Single();
        Assert.Equal((128, 128), (job.Input!.ContentWidth, job.Input.ContentHeight));
        Assert.Equal((255, 0), (pixels[3 * 62], pixels[3 * 66]));
    }

    public static TheoryData<string, string, string> Wrong => new()
    {
        { """{"prompt":"a"}""", "image", "'image' is missing" },
        { """{"prompt":"a","image":"https://example.com/a.png"}""", "image", "is a remote address" },
        { """{"prompt":"a","images":[{"file_id":"file-1"}]}""", "image", "stores no files" },
        { """{"prompt":"a","image":"data:image/png,abc"}""", "image", "must be a data: URL with Base64" },
        { """{"prompt":"a","image":"data:image/png;base64,!!!"}""", "image", "is not valid Base64" },
        { """{"prompt":"a","image":"R0lGODlhAQABAAAAACw="}""", "image", "must be a PNG, JPEG or WebP file" },
        { """{"prompt":"a","image":"IMAGE","mask":"SMALL"}""", "mask", "must have the size of the image, 128x128; it is 64x64" },
        { """{"prompt":"a","image":"IMAGE","mask":"IMAGE"}""", "mask", "has no transparent pixels" },
        { """{"prompt":"a","image":["IMAGE","IMAGE"]}""", "image", "there are 2" },
        { """{"prompt":"a","image":"IMAGE","strength":0}""", "strength", "must be above 0 and at most 1" },
        { """{"prompt":"a","image":"IMAGE","strength":1.5}""", "strength", "must be above 0 and at most 1" },
        { """{"prompt":"a","image":"IMAGE","mask_mode":"red"}""", "mask_mode", "alpha, white_is_edit" },
        { """{"prompt":"a","image":"IMAGE","input_fidelity":"some"}""", "input_fidelity", "high, low" },
        { """{"prompt":"a","image":7}""", "image", "must be an image" },
        { """{"prompt":"","image":"IMAGE"}""", "prompt", "missing or empty" },
    };

    [SkippableTheory]
    [MemberData(nameof(Wrong))]
    public async Task What_is_wrong_is_named_with_its_field(string body, string field, string message)
    {
        body = body.Replace("IMAGE", Convert.ToBase64String(Image(128, 128)))
            .Replace("SMALL", Convert.ToBase64String(Image(64, 64, (_, _) => SKColors.Transparent)));
        using var answer = await server.Client.PostAsync("/v1/images/edits", new StringContent(body, null, "application/json"));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var error = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal(field, error.GetProperty("param").GetString());
        Assert.Contains(message, error.GetProperty("message").GetString());
    }

    [SkippableTheory]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na", 400)] // Cut off.
    [InlineData("multipart/form-data; boundary=b", "", 400)]
    [InlineData("multipart/form-data; boundary=b", "--b\r\nno header\r\n\r\n", 400)]
    [InlineData("multipart/form-data", "--b--\r\n", 400)]
    [InlineData("multipart/form-data; boundary=\"\"", "--b--\r\n", 400)]
    [InlineData("multipart/form-data-too; boundary=b", "--b--\r\n", 415)]
    [InlineData("application/json", """{"prompt":"a","image":"\ud800"}""", 400)]
    [InlineData("application/json", """{"prompt":"a","image":{"\ud800":1}}""", 400)]
    public async Task A_form_or_body_that_can_not_be_read_is_an_error_of_the_client(string type, string body, int status)
    {
        using var content = new ByteArrayContent(System.Text.Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var answer = await server.Client.PostAsync("/v1/images/edits", content);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Empty(server.Log.Errors);
    }

    [SkippableFact]
    public async Task A_small_file_with_a_large_size_in_its_header_is_refused_before_it_is_decoded()
    {
        var png = Image(16, 16);
        png[16] = 0x7F; // The first byte of the width.
        using var form = Form(("image", png));
        using var answer = await server.Client.PostAsync("/v1/images/edits", form);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    /// <summary>The short form of every run, 120 files. MUSE_TEST_FUZZ=5000 runs the long form.</summary>
    [SkippableFact]
    public async Task Broken_files_get_a_status_below_500_and_leave_no_exception_in_the_log()
    {
        var count = int.TryParse(Environment.GetEnvironmentVariable("MUSE_TEST_FUZZ"), out var asked) ? asked : 120;
        var random = new Random(20261128);
        byte[][] files =
        [
            .. ((SKEncodedImageFormat[])[SKEncodedImageFormat.Png, SKEncodedImageFormat.Jpeg, SKEncodedImageFormat.Webp])
                .Select(format => Image(96, 64, (x, y) => new((byte)(3 * x), (byte)(4 * y), 90), format)),
        ];
        var statuses = new SortedDictionary<int, int>();
        // Other tests run beside the short form and share its memory.
        var memory = asked > 0 ? new MemoryTrend(count) : null;
        for (var i = 0; i < count; i++)
        {
            using var form = Form(("image", Break(files[i % files.Length], random)));
            using var answer = await server.Client.PostAsync("/v1/images/edits", form);
            statuses[(int)answer.StatusCode] = statuses.GetValueOrDefault((int)answer.StatusCode) + 1;
            server.Worker!.Inputs.Clear();
            server.Worker.Seen.Clear();
            memory?.Add(i);
        }
        var counts = string.Join(", ", statuses.Select(pair => $"{pair.Key}: {pair.Value}"));
        Console.WriteLine($"fuzz: {count} files, statuses {counts}; {memory}");
        Assert.All(statuses.Keys, status => Assert.InRange(status, 200, 499));
        Assert.True(statuses.ContainsKey(400), "No file was broken.");
        Assert.Empty(server.Log.Errors);
        memory?.AssertSteady();
    }

    static byte[] Break(byte[] file, Random random)
    {
        var broken = file.ToArray();
        switch (random.Next(3))
        {
            case 0:
                return broken[..random.Next(broken.Length)];
            case 1:
                random.NextBytes(broken.AsSpan(random.Next(Math.Min(64, broken.Length)), 4)); // In the header, sizes above all.
                return broken;
            default:
                for (var i = random.Next(1, 20); i > 0; i--)
                    broken[random.Next(broken.Length)] = (byte)random.Next(256);
                return broken;
        }
    }

    async Task WaitForInputsAsync(int count)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (server.Worker!.Inputs.Count < count)
            await Task.Delay(20, limit.Token);
    }

    static string Mask(int width, int height) =>
        "data:image/png;base64," + Convert.ToBase64String(Image(width, height, (x, _) => new(0, 0, 0, x < 9 ? (byte)0 : (byte)255)));

    /// <summary>A form with a prompt and these files.</summary>
    static MultipartFormDataContent Form(params (string Name, byte[] File)[] files)
    {
        var form = new MultipartFormDataContent { { new StringContent("a fox"), "prompt" } };
        foreach (var (name, file) in files)
        {
            var content = new ByteArrayContent(file);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            form.Add(content, name, "file");
        }
        return form;
    }

    static byte[] Image(int width, int height, Func<int, int, SKColor>? colour = null,
        SKEncodedImageFormat format = SKEncodedImageFormat.Png)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
                bitmap.SetPixel(x, y, colour?.Invoke(x, y) ?? new SKColor((byte)x, (byte)y, 90));
        }
        using var data = bitmap.Encode(format, 95);
        return data.ToArray();
    }
}
