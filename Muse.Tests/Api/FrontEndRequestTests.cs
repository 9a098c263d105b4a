using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace Muse.Tests.Api;

/// <summary>What front ends send to OpenAI's API, after their sources of 2026, written anew.</summary>
public sealed class FrontEndRequestTests : IAsyncLifetime
{
    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync();
    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableTheory]
    // Open WebUI, engine "openai".
    [InlineData("""{"model":"gpt-image-1","prompt":"a fox","n":1,"size":"512x512","response_format":"b64_json"}""", false)]
    [InlineData("""{"model":"dall-e-2","prompt":"a fox","n":1,"size":"1024x1024","response_format":"b64_json"}""", false)]
    // LibreChat's OpenAI image tools.
    [InlineData(
        """{"model":"gpt-image-1","prompt":"a fox","n":1,"background":"auto","output_format":"png","quality":"auto","size":"auto"}""",
        false)]
    // LibreChat's DALL·E tool, which reads a link.
    [InlineData("""{"model":"dall-e-3","quality":"standard","style":"vivid","size":"1024x1024","prompt":"a fox","n":1}""", true)]
    // n8n's OpenAI node with the option of a link.
    [InlineData("""{"prompt":"a fox","model":"dall-e-3","n":1,"size":"1024x1024","quality":"hd","response_format":"url"}""", true)]
    public async Task A_generation_gives_what_the_front_end_reads(string body, bool link)
    {
        using var response = await server.Client.PostAsync("/v1/images/generations",
            new StringContent(body, Encoding.UTF8, "application/json"));
        var image = await ImageAsync(response);
        if (link)
            Assert.Equal(0x89, (await server.Client.GetByteArrayAsync(image.GetProperty("url").GetString()))[0]);
        else
            Assert.Equal(0x89, image.GetProperty("b64_json").GetBytesFromBase64()[0]);
    }

    [SkippableTheory]
    // Open WebUI, one image and a list of one.
    [InlineData("image", "model=gpt-image-1", "prompt=a fox", "n=1", "size=512x512", "response_format=b64_json")]
    [InlineData("image[]", "model=gpt-image-1", "prompt=a fox", "response_format=b64_json")]
    // LibreChat.
    [InlineData("image[]", "model=gpt-image-1", "prompt=a fox", "quality=auto", "size=auto")]
    public async Task An_edit_gives_what_the_front_end_reads(string field, params string[] texts)
    {
        using var form = new MultipartFormDataContent();
        foreach (var text in texts)
            form.Add(new StringContent(text[(text.IndexOf('=') + 1)..]), text[..text.IndexOf('=')]);
        var file = new ByteArrayContent(FlatImageWorker.FlatPng(128, 128, 90));
        file.Headers.ContentType = new MediaTypeHeaderValue("image/png");
        form.Add(file, field, "image.png");
        using var response = await server.Client.PostAsync("/v1/images/edits", form);
        Assert.Equal(0x89, (await ImageAsync(response)).GetProperty("b64_json").GetBytesFromBase64()[0]);
        Assert.NotNull(server.Worker!.Seen.Single().Input);
    }

    static async Task<JsonElement> ImageAsync(HttpResponseMessage response)
    {
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("data")[0];
    }
}
