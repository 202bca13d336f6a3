-- one row per item bought again by somebody before :as_of: sums over its customers, for the variances of the clock
with between_pairs as (
    select
        thing,
        gap_count,
        gap_sum,
        quantity_sum,
        gap_squares,
        quantity_squares,
        products,
        cast(gap_sum as double) / sqrt(gap_count) as gap_root,
        cast(quantity_sum as double) / sqrt(gap_count) as quantity_root
    from clock_pairs
)

select
    pairs.thing,
    min(kinds.category) as category,
    count(*) as pair_count,
    sum(pairs.gap_count) as gap_count,
    sum(pairs.gap_count * pairs.gap_count) as count_squares,
    sum(pairs.gap_sum) as gap_sum,
    sum(pairs.quantity_sum) as quantity_sum,
    sum(pairs.gap_squares) as gap_squares,
    sum(pairs.quantity_squares) as quantity_squares,
    sum(pairs.products) as products,
    sum(cast(rounded(pairs.gap_root * pairs.gap_root, 6) as decimal(18, 6))) as gap_between,
    sum(cast(rounded(pairs.quantity_root * pairs.quantity_root, 6) as decimal(18, 6))) as quantity_between,
    sum(cast(rounded(pairs.gap_root * pairs.quantity_root, 6) as decimal(18, 6))) as product_between
from between_pairs as pairs
left join items as kinds on pairs.thing = kinds.item_id
group by pairs.thing
