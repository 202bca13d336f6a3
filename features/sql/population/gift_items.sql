-- one row per item sold as of :as_of: whether it is given away as a gift, by its attribute, or, where no item has it, by its peak
with sums as (
    select
        item_id,
        sum(line_count) as line_count,
        sum(peak_line_count) as peak_line_count
    from gift_sums
    group by item_id
),

told as (
    select count(gift) as items
    from items
)

select
    sums.item_id,
    cast(
        case
            when told.items > 0 then case when kinds.gift then 1 else 0 end
            when
                sums.peak_line_count >= 10
                and sums.peak_line_count * sum(sums.line_count) over (partition by 1)
                >= 2 * sums.line_count * sum(sums.peak_line_count) over (partition by 1)
                then 1
            else 0
        end as int
    ) as is_gift
from sums
cross join told
left join items as kinds on sums.item_id = kinds.item_id
