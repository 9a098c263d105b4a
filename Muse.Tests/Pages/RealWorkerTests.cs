using Microsoft.Playwright;
using Muse.Tests.Api;
using Muse.Tests.Infrastructure;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.Pages;

/// <summary>Both pages over the whole system: the API, a real Redis, and a real worker with the built-in model on the CPU.</summary>
[Collection(nameof(Browser))]
public sealed class RealWorkerTests(Browser browser)
{
    [SkippableFact]
    public async Task A_prompt_becomes_images_with_previews_and_the_batch_is_shown()
    {
        await using var server = await ApiServer.StartAsync(null, withoutWorker: true);
        await using var worker = new ProgramProcess("Muse.GpuWorker", server.Redis, ("MUSE_GPU_TYPE", "cpu"));
        await using var watching = await browser.VisitAsync(server.Address);
        await watching.Page.GotoAsync("/ops");
        await Expect(watching.Page.Locator(".pill[data-state=ready]")).ToBeVisibleAsync();

        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await Expect(visit.Page.GetByLabel("Other")).ToBeAttachedAsync();
        await visit.Page.GetByLabel("Images", new() { Exact = true }).FillAsync("4");
        await visit.Page.GetByLabel("Steps").FillAsync("30");
        // Counts every preview that appears, even if the next one replaces it at once.
        await visit.Page.EvaluateAsync("""
            window.previews = new Set();
            const onChanges = changes => {
              for (const node of changes.flatMap(change => [...change.addedNodes]))
                if (node.classList?.contains("preview")) window.previews.add(node.dataset.path);
            };
            new MutationObserver(onChanges).observe(document.getElementById("current-job"), { childList: true, subtree: true });
            """);
        await visit.SubmitAsync("a large red star above a small blue house at night");
        await Expect(watching.Page.Locator(".slot.taken")).ToHaveCountAsync(4);
        await visit.ExpectFinishedAsync();
        await Expect(watching.Page.Locator(".slot.taken")).ToHaveCountAsync(0);

        await Expect(visit.FinishedImages).ToHaveCountAsync(4);
        Assert.InRange(await visit.Page.EvaluateAsync<int>("window.previews.size"), 3, int.MaxValue);
        Assert.True(await ColoursAsync(visit.FinishedImages.First) > 20, "The image is blank.");
        visit.AssertNoProblems();
        watching.AssertNoProblems();
    }

    [SkippableFact]
    public async Task An_image_of_the_gallery_is_changed_under_the_brush_and_shown_beside_the_one_before()
    {
        await using var server = await ApiServer.StartAsync(null, withoutWorker: true);
        await using var worker = new ProgramProcess("Muse.GpuWorker", server.Redis, ("MUSE_GPU_TYPE", "cpu"));
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await Expect(visit.Page.GetByText("Start from an image")).ToBeVisibleAsync();
        await visit.SubmitAsync("a large red star in the middle on a blue background");
        await visit.ExpectFinishedAsync();

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Change this image" }).ClickAsync();
        var mask = visit.Page.Locator("#start-mask");
        await Expect(mask).ToBeFocusedAsync();
        await Expect(visit.Page.Locator("#strength-value")).ToHaveTextAsync("much");
        // With the keyboard, and with the mouse.
        await mask.PressAsync("ArrowLeft");
        await mask.PressAsync("Space");
        var box = (await mask.BoundingBoxAsync())!;
        await visit.Page.Mouse.MoveAsync(box.X + box.Width / 3, box.Y + box.Height / 2);
        await visit.Page.Mouse.DownAsync();
        await visit.Page.Mouse.MoveAsync(box.X + box.Width * 2 / 3, box.Y + box.Height / 2, new() { Steps = 5 });
        await visit.Page.Mouse.UpAsync();
        await visit.IsAccessibleAsync();
        await visit.SubmitAsync("a large green star in the middle on a blue background");
        await Expect(visit.Page.Locator(".before img")).ToBeVisibleAsync();
        await visit.ExpectFinishedAsync();

        var (job, edit) = (visit.Page.Locator("#current-job .before img"), visit.FinishedImages.First);
        Assert.Equal(await PixelAsync(job, 2, 2), await PixelAsync(edit, 2, 2));
        Assert.NotEqual(await PixelAsync(job, 64, 64), await PixelAsync(edit, 64, 64));
        await visit.IsAccessibleAsync();
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task A_file_that_is_no_image_is_named_and_an_image_can_be_removed_again()
    {
        await using var server = await ApiServer.StartAsync();
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        var file = visit.Page.Locator("#start-file");
        await file.SetInputFilesAsync(new FilePayload { Name = "a.png", MimeType = "image/png", Buffer = [1, 2, 3] });
        await Expect(visit.Page.Locator("#image-error")).ToContainTextAsync("is not an image");
        await file.SetInputFilesAsync(
            new FilePayload { Name = "b.png", MimeType = "image/png", Buffer = FlatImageWorker.FlatPng(200, 100, 90) });
        await Expect(visit.Page.Locator("#start-mask")).ToBeVisibleAsync();
        await Expect(visit.Page.GetByRole(AriaRole.Group, new() { Name = "Size" })).ToBeHiddenAsync();
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Remove the image" }).ClickAsync();
        await Expect(visit.Page.GetByText("Start from an image")).ToBeVisibleAsync();
        visit.AssertNoProblems();
    }

    static Task<string> PixelAsync(ILocator image, int x, int y) => image.EvaluateAsync<string>("""
        (image, [x, y]) => {
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          return context.getImageData(x, y, 1, 1).data.join(" ");
        }
        """, new[] { x, y });

    static Task<int> ColoursAsync(ILocator image) => image.EvaluateAsync<int>("""
        image => {
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
          const colours = new Set();
          for (let i = 0; i < bytes.length; i += 4) colours.add(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]);
          return colours.size;
        }
        """);
}
