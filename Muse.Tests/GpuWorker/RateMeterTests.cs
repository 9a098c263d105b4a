using Muse.GpuWorker;

namespace Muse.Tests.GpuWorker;

public class RateMeterTests
{
    readonly RateMeter meter = new();

    [Fact]
    public void One_picture_at_a_time_says_nothing_of_what_a_full_batch_can_do()
    {
        meter.Observe(pictures: 2, TimeSpan.FromSeconds(3), worked: true, batchFull: false);
        Assert.Null(meter.PicturesPerSecond);
    }

    [Fact]
    public void A_full_batch_sets_the_figure_and_a_half_empty_one_does_not_lower_it()
    {
        meter.Observe(pictures: 36, TimeSpan.FromSeconds(3), worked: true, batchFull: true);
        Assert.Equal(12, meter.PicturesPerSecond);
        meter.Observe(pictures: 3, TimeSpan.FromSeconds(3), worked: true, batchFull: false);
        Assert.Equal(12, meter.PicturesPerSecond);
    }

    [Fact]
    public void A_full_batch_that_slowed_down_lowers_the_figure_bit_by_bit()
    {
        meter.Observe(pictures: 36, TimeSpan.FromSeconds(3), worked: true, batchFull: true);
        meter.Observe(pictures: 6, TimeSpan.FromSeconds(3), worked: true, batchFull: true);
        Assert.Equal(9, meter.PicturesPerSecond!.Value, 3);
    }
}
